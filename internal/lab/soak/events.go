package soak

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/sallyport/sallyport/internal/lab/tally"
)

// readEvents counts the decisions since a time that a status page's /events has, which sends all that are kept at once
// and new ones later.
func readEvents(ctx context.Context, address string, since time.Time) (*tally.Trail, error) {
	ctx, cancel := context.WithTimeout(ctx, eventsTime)
	defer cancel()
	body, err := open(ctx, address)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	e := events{trail: &tally.Trail{}, since: since}
	lines := bufio.NewScanner(body)
	for lines.Scan() {
		if err := e.read(lines.Bytes()); err != nil {
			return nil, fmt.Errorf("%s: %w", address, err)
		}
	}
	if ctx.Err() == nil { // else all has come
		return nil, fmt.Errorf("%s: %w", address, cmp.Or(lines.Err(), io.ErrUnexpectedEOF))
	}
	return e.trail, nil
}

// events reads /events line by line.
type events struct {
	trail *tally.Trail
	since time.Time
	id    uint64 // of the event being read, from 1
	begun bool
	other bool // its data are no line, but how many a slow reader has missed
}

func (e *events) read(line []byte) error {
	field, value, _ := bytes.Cut(line, []byte(": "))
	switch string(field) {
	case "id":
		e.id, _ = strconv.ParseUint(string(value), 10, 64)
	case "event":
		e.other = true
	case "data":
		if e.other {
			n, err := strconv.ParseUint(string(value), 10, 64)
			e.trail.Miss(n)
			e.other = false
			return err
		}
		if err := e.trail.ReadLine(value, e.since); err != nil {
			return err
		}
		if !e.begun && e.id > 1 && len(e.trail.Counts()) > 0 { // what was before it is not kept any more
			e.trail.Miss(e.id - 1)
		}
		e.begun = true
	}
	return nil
}
