package astratest

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"time"
)

// traces are the latest requests that were sent with the tracing flag. There
// is little to tell of each: it took no time.
type traces struct {
	mu     sync.Mutex
	latest []trace
	count  uint64
}

type trace struct {
	id          [16]byte
	at          time.Time
	coordinator netip.Addr
	request     string
}

const maxTraces = 100

// add remembers a request and returns its trace ID, a UUID of version 1.
func (t *traces) add(coordinator netip.Addr, request string) (id [16]byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count++
	now := time.Now()
	id = timeUUID(now, t.count)
	t.latest = append(t.latest, trace{id, now, coordinator, request})
	if len(t.latest) > maxTraces {
		t.latest = t.latest[1:]
	}
	return id
}

// timeUUID returns a UUID of version 1.
func timeUUID(at time.Time, clock uint64) (id [16]byte) {
	const gregorian = 122192928000000000 // from 1582 to 1970, in units of 100 ns
	ticks := uint64(at.UnixNano()/100 + gregorian)
	binary.BigEndian.PutUint32(id[0:], uint32(ticks))
	binary.BigEndian.PutUint16(id[4:], uint16(ticks>>32))
	binary.BigEndian.PutUint16(id[6:], uint16(ticks>>48)|0x1000)
	binary.BigEndian.PutUint64(id[8:], clock&^(3<<62)|2<<62)
	return id
}

func (t *traces) sessions() []systemRow {
	t.mu.Lock()
	defer t.mu.Unlock()
	var rows []systemRow
	for _, tr := range t.latest {
		rows = append(rows, systemRow{
			"session_id":       tr.id,
			"command":          "QUERY",
			"coordinator":      tr.coordinator,
			"coordinator_port": storagePort,
			"duration":         0,
			"parameters":       map[string]string{},
			"request":          tr.request,
			"started_at":       tr.at,
		})
	}
	return rows
}

func (t *traces) events() []systemRow {
	t.mu.Lock()
	defer t.mu.Unlock()
	var rows []systemRow
	for _, tr := range t.latest {
		rows = append(rows, systemRow{
			"session_id":     tr.id,
			"event_id":       tr.id,
			"activity":       "Answered by astratest",
			"source":         tr.coordinator,
			"source_elapsed": 0,
			"source_port":    storagePort,
			"thread":         "astratest",
		})
	}
	return rows
}
