package natscarrier

import (
	"strconv"
	"strings"

	"github.com/sallyport/sallyport/fleet/revocation"
)

// names makes the subjects of one fleet.
type names struct{ prefix string }

// topic is the subject of live messages; name is the sender's, or "*" for everybody's.
func (n names) topic(t revocation.Topic, name string) string {
	return n.prefix + "." + t.String() + "." + name
}

// state is the subject of stored segments below one publisher's id, or "*".
func (n names) state(id string) string { return n.prefix + ".state." + id }

// segment is the subject of one stored segment.
func (n names) segment(k revocation.StateKey) string {
	return n.state(k.Publisher.String()) + "." + strconv.FormatUint(k.First, 10)
}

// first returns the number in a segment's subject.
func first(subject string) (uint64, bool) {
	n, err := strconv.ParseUint(subject[strings.LastIndexByte(subject, '.')+1:], 10, 64)
	return n, err == nil
}

// inbox is what answers to one process begin with.
func (n names) inbox(name string) string { return "_INBOX_" + n.prefix + "." + name }
