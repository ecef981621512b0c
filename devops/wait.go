package devops

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"
)

const (
	minPoll = 250 * time.Millisecond // between two looks at a database; it grows by half each time
	maxPoll = 10 * time.Second
	// patience is how long failures in a row are borne with: of the API, and of a database that was just created not being known yet.
	patience = 2 * time.Minute
	// wakeAgain is how long a database may stay asleep before it is asked again.
	wakeAgain = 30 * time.Second
)

// WaitActive waits until a database, given by its ID or name, is ready, and returns it. The context bounds the wait: resuming takes some
// minutes, a new database or region up to 40. The API is asked after 0.25 s at first, and every 10 s in the end. Progress, which may be nil, is
// called with each answer.
//
// It ends early with a [StatusError] where waiting is in vain: a database that is asleep wants [Client.Resume] first, and one that is gone
// stays so. It bears with failures of the API, and with [ErrNotFound] for a database given by its ID that may have just been created, for two
// minutes in a row.
func (c *Client) WaitActive(ctx context.Context, database string, progress func(*Database)) (*Database, error) {
	return c.poll(ctx, database, func(d *Database) (done bool, err error) {
		if progress != nil {
			progress(d)
		}
		if d.Status.Asleep() || d.Status.Gone() {
			return true, &StatusError{Database: d.ID, Status: d.Status}
		}
		return d.Status.Ready(), nil
	})
}

// Resume wakes a database that is asleep, given by its ID or name, and returns when it is on its way: [Client.WaitActive] waits for the rest.
// For one that is not asleep it does nothing. To be awake may cost money: nothing in this package calls Resume by itself.
//
// A hibernated database, which is serverless, wakes by a request to its Data API, since the DevOps API has no call for it; the token goes along. A parked
// database, which is of a classic tier, is unparked. Resume asks again twice a minute while the API shows no effect; the context bounds that.
func (c *Client) Resume(ctx context.Context, database string) error {
	var asked time.Time
	_, err := c.poll(ctx, database, func(d *Database) (done bool, err error) {
		switch {
		case d.Status.Gone():
			return true, &StatusError{Database: d.ID, Status: d.Status}
		case !d.Status.Asleep():
			return !d.Status.settling(), nil
		case !asked.IsZero() && time.Since(asked) < wakeAgain:
			return false, nil
		}
		asked = time.Now()
		if d.Status.is(StatusParked) {
			return false, c.unpark(ctx, d)
		}
		return false, c.wake(ctx, d)
	})
	return err
}

// poll looks at a database until look says that it is done.
func (c *Client) poll(ctx context.Context, database string, look func(*Database) (done bool, err error)) (*Database, error) {
	var failing time.Time // since when; zero: not
	for wait := minPoll; ; wait = min(wait*3/2, maxPoll) {
		d, err := c.Database(ctx, database)
		switch {
		case err == nil:
			failing = time.Time{}
			database = d.ID // a name needs no second search
			if done, err := look(d); done || err != nil {
				return d, err
			}
		case ctx.Err() != nil || !passes(err, database):
			return nil, err
		case failing.IsZero():
			failing = time.Now()
		case time.Since(failing) > patience:
			return nil, err
		}
		if !sleep(ctx, wait*3/4+rand.N(wait/2)) {
			e := &Error{Op: "wait for database " + tidy(database)}
			if d != nil {
				e.Message = "its status is " + tidy(string(d.Status))
			} else if err != nil {
				e.Message = tidy(err.Error())
			}
			return d, e.ended(ctx)
		}
	}
}

// passes reports whether a failure to look at a database may pass by itself.
func passes(err error, database string) bool {
	return errors.Is(err, ErrUnavailable) || errors.Is(err, ErrRateLimited) || errors.Is(err, ErrNotFound) && uuid.MatchString(database)
}

func (c *Client) unpark(ctx context.Context, d *Database) error {
	if !uuid.MatchString(d.ID) {
		return &Error{Op: "unpark database", Message: "the ID of the database is not a UUID"}
	}
	_, err := c.do(ctx, c.newRequest("unpark database "+d.ID, http.MethodPost, nil, "databases", d.ID, "unpark"))
	if errors.Is(err, ErrConflict) {
		return nil // somebody else was first, or it is still being parked; the status will tell
	}
	return err
}

// wake sends a request to the Data API of a hibernated database. Astra holds off such requests until the database is awake, and wakes it:
// with 503, with 400 and a text that says so, or by closing the connection.
func (c *Client) wake(ctx context.Context, d *Database) error {
	endpoint, err := c.dataEndpoint(d, "")
	if err != nil {
		return err
	}
	r := request{
		op:        "wake database " + tidy(d.ID),
		method:    http.MethodPost,
		url:       endpoint.JoinPath("api", "json", "v1"),
		body:      map[string]any{"findKeyspaces": map[string]any{}},
		authorize: SetDataAPIToken,
		limit:     maxAnswer,
		needs:     "the token must be one for the data of this database, too",
	}
	_, err = c.do(ctx, r)
	if err != nil && isWaking(err) {
		c.log.LogAttrs(ctx, slog.LevelDebug, "devops: the database is waking up", slog.String("op", r.op))
		return nil
	}
	return err
}
