// Command download-bundle downloads the Secure Connect Bundle of an Astra database, given by its name or ID.
//
//	export ASTRA_API_TOKEN=AstraCS:…
//	go run ./examples/download-bundle mydb
//	go run ./examples/download-bundle -r europe-west1 -d /etc/astra mydb
//
// The file is named secure-connect-NAME.zip, or secure-connect-NAME-REGION.zip with -r. Its mode is 0600, for it opens the database's network,
// and it is written whole or not at all: a program that reads it (bundle.File) may do so at any time. Its path is printed on standard output.
//
// The token is the first that is found in ASTRA_API_TOKEN, ASTRA_ORG_TOKEN, ASTRA_DB_APPLICATION_TOKEN, … (see token.EnvDevOps), and in the Astra CLI's
// configuration file. It needs the role Database Administrator or Organization Administrator; the program that uses the bundle does not.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"github.com/seed-5f06b232/astra-go/devops"
	"github.com/seed-5f06b232/astra-go/internal/wholefile"
	"github.com/seed-5f06b232/astra-go/token"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "download-bundle:", err)
		os.Exit(1)
	}
}

// kinds are the values of -kind.
var kinds = map[string]devops.BundleKind{
	"public":                   devops.KindPublic,
	"internal":                 devops.KindInternal,
	"migration-proxy":          devops.KindMigrationProxy,
	"migration-proxy-internal": devops.KindMigrationProxyInternal,
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("download-bundle", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: download-bundle [flags] NAME|ID")
		flags.PrintDefaults()
	}
	region := flags.String("r", "", "`region`; the primary one if not given")
	dir := flags.String("d", ".", "`directory` to write to")
	domain := flags.String("domain", "", "custom `domain`; Astra's own if not given")
	kind := flags.String("kind", "public", "public, internal (VPC peering, private link), migration-proxy or migration-proxy-internal")
	profile := flags.String("profile", "", "`profile` of the Astra CLI's configuration file")
	timeout := flags.Duration("timeout", 2*time.Minute, "for everything")
	api := flags.String("api", "", "`URL` of the DevOps API, for environments other than production")
	database, err := parse(flags, args)
	if err != nil {
		return err
	}
	q := devops.BundleQuery{Region: *region, Domain: *domain}
	var known bool
	if q.Kind, known = kinds[*kind]; !known {
		return fmt.Errorf("there is no kind %q of bundles; see -help", *kind)
	}
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()

	client, err := devops.NewClient(devops.Config{Token: source(*profile), BaseURL: *api})
	if err != nil {
		return err
	}
	say := progress(stderr)
	say("looking for %s", database)
	db, err := client.Database(ctx, database)
	if err != nil {
		return err
	}
	say("downloading the bundle of %s, which is %s in %s", db.Name, db.Status, strings.Join(db.Regions(), ", "))
	zip, err := client.DownloadBundle(ctx, db.ID, q)
	if err != nil {
		return err
	}
	name := filepath.Join(*dir, fileName(db.Name, *kind, *region, *domain))
	if err := wholefile.Write(name, zip); err != nil {
		return err
	}
	say("%d bytes written", len(zip))
	fmt.Fprintln(stdout, name)
	return nil
}

// parse returns the one argument that is no flag, before or after the flags.
func parse(flags *flag.FlagSet, args []string) (database string, err error) {
	if err := flags.Parse(args); err != nil {
		return "", err
	}
	for flags.NArg() > 0 && database == "" {
		database = flags.Arg(0)
		if err := flags.Parse(flags.Args()[1:]); err != nil {
			return "", err
		}
	}
	if database == "" || flags.NArg() > 0 {
		return "", errors.New("give the name or ID of one database; see -help")
	}
	return database, nil
}

// source says where the token comes from.
func source(profile string) token.Source {
	if profile != "" {
		return token.Astrarc("", profile)
	}
	return token.First(token.EnvDevOps(), token.Astrarc("", ""))
}

// fileName is a bundle's name as Astra's portal has it.
func fileName(database, kind, region, domain string) string {
	name := "secure-connect-"
	if kind != "public" {
		name += kind + "-"
	}
	name += database
	for _, part := range []string{region, domain} {
		if part != "" {
			name += "-" + part
		}
	}
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:*?"<>|`, r) || !unicode.IsPrint(r) {
			return '_'
		}
		return r
	}, name) + ".zip"
}

// progress returns a function that tells a person at a terminal what is going on, and nobody else.
func progress(w io.Writer) func(format string, args ...any) {
	f, ok := w.(*os.File)
	if ok {
		info, err := f.Stat()
		ok = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return func(format string, args ...any) {
		if ok {
			fmt.Fprintf(w, format+"\n", args...)
		}
	}
}
