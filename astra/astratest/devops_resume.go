package astratest

import (
	"fmt"
	"net/http"
)

// dataAPI is the HTTP API of the database. It answers each request the same, and wakes a hibernated database.
func (d *DevOps) dataAPI(w http.ResponseWriter, r *http.Request) {
	if _, ok := d.find(r.Header.Get("Token")); !ok {
		writeJSON(w, http.StatusUnauthorized, object{"errors": []object{{"title": "Unauthorized", "message": "Role unauthorized for operation: invalid token"}}})
		return
	}
	status := d.server.currentStatus()
	if status == "HIBERNATED" {
		d.wakeUp("RESUMING")
	}
	if status == "ACTIVE" {
		writeJSON(w, http.StatusOK, object{"status": object{"keyspaces": []string{d.server.settings.keyspace}}})
		return
	}
	d.mu.Lock()
	waking := d.quirks.Waking
	d.mu.Unlock()
	switch waking {
	case DevOpsWaking400:
		writeJSON(w, http.StatusBadRequest, object{"message": "Your database is resuming from hibernation and will be available in the next few minutes."})
	case DevOpsWakingEOF:
		panic(http.ErrAbortHandler)
	default:
		writeJSON(w, http.StatusServiceUnavailable, object{"message": "Resuming your database, please try again shortly."})
	}
}

func (s *Server) currentStatus() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

// wakingAnswers is how often the API reports a waking database before it is awake.
const wakingAnswers = 2

func (d *DevOps) wakeUp(status string) {
	d.mu.Lock()
	d.waking = wakingAnswers
	d.mu.Unlock()
	d.server.SetStatus(status)
}

// observe returns the status to report, and lets a database that is waking up come nearer to it.
func (d *DevOps) observe() string {
	status := d.server.currentStatus()
	d.mu.Lock()
	awake := false
	if d.waking > 0 && (status == "RESUMING" || status == "UNPARKING") {
		d.waking--
		awake = d.waking == 0
	}
	d.mu.Unlock()
	if awake {
		d.server.SetStatus("ACTIVE")
	}
	return status
}

func (d *DevOps) unpark(w http.ResponseWriter, r *http.Request) {
	switch status := d.server.currentStatus(); {
	case r.PathValue("id") != d.server.DatabaseID:
		d.refuse(w, http.StatusNotFound, 0, "database not found")
	case status != "PARKED":
		d.refuse(w, http.StatusConflict, 0, fmt.Sprintf("the database is not in a valid state to perform the operation: %s", status))
	default:
		d.wakeUp("UNPARKING")
		w.WriteHeader(http.StatusAccepted)
	}
}
