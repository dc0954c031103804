package program

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"time"

	"github.com/sallyport/sallyport/gateway"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/transport"
)

// duration is a time.Duration as JSON has it, such as "500ms".
type duration time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil {
		return fmt.Errorf("%q is no duration: give number and unit, such as 500ms or 10s", b)
	}
	*d = duration(v)
	return nil
}

// laneFile is an element of -lanes.
type laneFile struct {
	Mode       string   `json:"mode"`
	Priority   uint8    `json:"priority"`
	Weight     uint8    `json:"weight"`
	MaxMessage int      `json:"max_message"`
	MaxAge     duration `json:"max_age"`
	Credit     int      `json:"credit"`
	Queue      int      `json:"queue"`
	Parity     int      `json:"parity"`
	Input      bool     `json:"input"`
	Insure     bool     `json:"insure"`
	Receipts   bool     `json:"receipts"`
}

// readLanes reads -lanes.
func readLanes(path string) ([]transport.Lane, error) {
	if path == "" {
		return nil, nil
	}
	var list []laneFile
	if err := readJSON(path, &list); err != nil {
		return nil, fmt.Errorf("-lanes: %w", err)
	}
	var lanes []transport.Lane
	for i, l := range list {
		mode, err := modeOf(l.Mode)
		if err != nil {
			return nil, fmt.Errorf("-lanes %s: lane %d: %w", path, i, err)
		}
		lanes = append(lanes, transport.Lane{
			Mode: mode, Priority: l.Priority, Weight: l.Weight, MaxMessage: l.MaxMessage, MaxAge: time.Duration(l.MaxAge), Credit: l.Credit,
			Queue: l.Queue, Parity: l.Parity, Input: l.Input, Insure: l.Insure, Receipts: l.Receipts,
		})
	}
	return lanes, nil
}

func modeOf(name string) (transport.Mode, error) {
	for m := transport.Unreliable; m <= transport.Latest; m++ {
		if m.String() == name {
			return m, nil
		}
	}
	return 0, errors.New("mode must be unreliable, sequenced, reliable, ordered or latest")
}

// limitFile is -limits.
type limitFile struct {
	MaxPlayers int      `json:"max_players"`
	Hold       duration `json:"hold"`
	behaviourFile
}

// behaviourFile is what of -limits holds for as long as the process runs.
type behaviourFile struct {
	Datagrams     int `json:"datagrams"`
	DatagramBurst int `json:"datagram_burst"`
	Bytes         int `json:"bytes"`
	ByteBurst     int `json:"byte_burst"`
	Flag          int `json:"flag"`
	Limit         int `json:"limit"`
	Revoke        int `json:"revoke"`
}

func readLimits(path string) (l limitFile, err error) {
	if path == "" {
		return l, nil
	}
	if err = readJSON(path, &l); err != nil {
		err = fmt.Errorf("-limits: %w", err)
	}
	return l, err
}

func (l limitFile) limits() gateway.Limits {
	return gateway.Limits{MaxPlayers: l.MaxPlayers, Hold: time.Duration(l.Hold)}
}

func (b behaviourFile) config() policy.BehaviourConfig {
	return policy.BehaviourConfig{
		Datagrams: b.Datagrams, DatagramBurst: b.DatagramBurst, Bytes: b.Bytes, ByteBurst: b.ByteBurst,
		Flag: b.Flag, Limit: b.Limit, Revoke: b.Revoke,
	}
}

// readJSON reads a file that has what v has, and nothing else.
func readJSON(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	err = d.Decode(v)
	if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
		field := "the file"
		if wrong.Field != "" {
			field = strconv.Quote(wrong.Field)
		}
		return fmt.Errorf("%s: %s must be %s (found: %s)", path, field, wanted(wrong.Type), wrong.Value)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// wanted says what JSON a field of type t is.
func wanted(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[duration]():
		return `a duration in quotes, such as "500ms"`
	case t == reflect.TypeFor[[]laneFile]():
		return `an array of lanes, such as [{"mode": "reliable"}]`
	case t == reflect.TypeFor[laneFile]():
		return `an object, such as {"mode": "reliable"}`
	case t.Kind() == reflect.Uint8:
		return "a whole number from 0 to 255"
	case t.Kind() == reflect.Int:
		return "a whole number"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.String:
		return "text in quotes"
	}
	return `an object, such as {"max_players": 100}`
}
