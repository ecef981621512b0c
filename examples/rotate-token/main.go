// Command rotate-token replaces the application token in a file that programs read, without a restart of any of them.
//
//	export ASTRA_API_TOKEN=AstraCS:…
//	go run ./examples/rotate-token -f /run/secrets/astra-token.json
//
// It creates a token with the roles of the one in the file, replaces the file, whole and with mode 0600, by one in the form that Astra's portal downloads,
// waits for a grace period in which programs that use token.File take the new token at their next connections, and only then deletes the old one. So there
// is always a token that works. If it fails, it says which tokens exist, and it deletes a new token that came to no file.
//
// The token in the environment (see token.EnvDevOps) needs the role Organization Administrator. It is not the one in the file, as a rule.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/seed-5f06b232/astra-go/devops"
	"github.com/seed-5f06b232/astra-go/internal/wholefile"
	"github.com/seed-5f06b232/astra-go/token"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "rotate-token:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("rotate-token", flag.ContinueOnError)
	flags.SetOutput(stderr)
	file := flags.String("f", "", "`file` with the token: the portal's JSON or CSV, or the bare token; JSON afterwards")
	grace := flags.Duration("grace", time.Minute, "between the replacement of the file and the deletion of the old token")
	expires := flags.Duration("expires", 0, "life of the new token; what the organization has set if not given")
	api := flags.String("api", "", "`URL` of the DevOps API, for environments other than production")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *file == "" || flags.NArg() > 0 {
		return errors.New("give the file with the token by -f, and nothing else; see -help")
	}
	if *grace < 0 || *expires < 0 {
		return errors.New("-grace and -expires must not be negative")
	}
	old, err := token.File(*file).Current(ctx)
	if err != nil {
		return err
	}
	client, err := devops.NewClient(devops.Config{Token: token.EnvDevOps(), BaseURL: *api})
	if err != nil {
		return err
	}

	say := func(format string, args ...any) { fmt.Fprintf(stdout, format+"\n", args...) }
	request := devops.TokenRequest{}
	if *expires > 0 {
		request.Expires = time.Now().Add(*expires)
	}
	replaced := false
	current, err := client.RotateToken(ctx, old.ClientID(), request, func(ctx context.Context, t token.Token) error {
		say("created   %s", t.ClientID())
		if err := wholefile.Write(*file, portalFile(t)); err != nil {
			return err
		}
		replaced = true
		say("replaced  %s", *file)
		return wait(ctx, *grace, stderr)
	})
	if err != nil && !current.IsZero() && !replaced {
		// Nobody has the new token. The context may have ended; this must be tried all the same.
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		if deleteErr := client.DeleteToken(clean, current.ClientID()); deleteErr != nil {
			return errors.Join(err, deleteErr)
		}
		say("deleted   %s again", current.ClientID())
	}
	if err != nil {
		return err
	}
	say("deleted   %s", old.ClientID())
	return nil
}

// portalFile is a token as Astra's portal has it for download.
func portalFile(t token.Token) []byte {
	data, err := json.MarshalIndent(map[string]string{"clientId": t.ClientID(), "secret": t.Secret(), "token": t.Bearer()}, "", "  ")
	if err != nil {
		panic(err) // strings are always written
	}
	return append(data, '\n')
}

// wait lets the grace period pass, with the seconds that are left on a terminal.
func wait(ctx context.Context, grace time.Duration, w io.Writer) error {
	end := time.After(grace)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for left := grace; ; left -= time.Second {
		if isTerminal(w) {
			fmt.Fprintf(w, "\rthe old token is deleted in %v \033[K", left.Round(time.Second))
		}
		select {
		case <-end:
			if isTerminal(w) {
				fmt.Fprint(w, "\r\033[K")
			}
			return nil
		case <-ctx.Done():
			return fmt.Errorf("interrupted in the grace period: %w", context.Cause(ctx))
		case <-tick.C:
		}
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
