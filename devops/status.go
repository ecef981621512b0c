package devops

import (
	"fmt"
	"slices"
	"strings"
)

// Status is what the API says a database, or one of its datacenters, is doing, such as "ACTIVE". Astra adds values now and then. Of a
// database's status exactly one of Ready, Asleep, Gone and Waiting holds.
type Status string

// The statuses that programs ask for by name.
const (
	StatusActive      Status = "ACTIVE"
	StatusMaintenance Status = "MAINTENANCE"
	StatusHibernated  Status = "HIBERNATED"
	StatusParked      Status = "PARKED"
)

// Ready reports whether the database takes connections: ACTIVE.
func (s Status) Ready() bool { return s.is(StatusActive) }

// Asleep reports whether the database waits for [Client.Resume]: HIBERNATED or PARKED.
func (s Status) Asleep() bool { return s.is(StatusHibernated, StatusParked) }

// Gone reports whether no waiting and no resuming helps: ERROR, SUSPENDED (the organization's credits are used up), TERMINATING,
// TERMINATED and DECOMMISSIONING.
func (s Status) Gone() bool {
	return s.is("ERROR", "SUSPENDED", "TERMINATING", "TERMINATED", "DECOMMISSIONING")
}

// Waiting reports whether the status will change by itself. It holds for all that are not Ready, Asleep or Gone, also for those
// that this package does not know.
func (s Status) Waiting() bool { return !s.Ready() && !s.Asleep() && !s.Gone() }

// settling reports whether the database is on its way to being asleep.
func (s Status) settling() bool { return s.is("HIBERNATING", "PARKING", "SUSPENDING") }

func (s Status) is(any ...Status) bool {
	return slices.Contains(any, Status(strings.ToUpper(string(s))))
}

// StatusError says that a database is not, and will not become by waiting, what the caller wants.
type StatusError struct {
	Database string // ID
	Status   Status
}

func (e *StatusError) Error() string {
	advice := "see the database's page in Astra's portal"
	switch {
	case e.Status.Waiting():
		advice = "this passes by itself; Client.WaitActive waits for it"
	case e.Status.is(StatusHibernated):
		advice = "it was not used for a while; Client.Resume, any request to its Data API, or Astra's portal wakes it within minutes"
	case e.Status.is(StatusParked):
		advice = "Client.Resume or Astra's portal unparks it within minutes"
	case e.Status.is("SUSPENDED"):
		advice = "the organization's credits are used up; see Billing in Astra's portal"
	case e.Status.is("TERMINATING", "TERMINATED"):
		advice = "it was deleted"
	}
	return fmt.Sprintf("devops: database %s is %s: %s", tidy(e.Database), tidy(string(e.Status)), advice)
}
