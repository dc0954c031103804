package identity

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/sallyport/sallyport/internal/cursor"
)

// What an item is.
const (
	whatUser   = 1
	whatGroups = 2
	whatClaim  = 3
)

// Kinds of values.
const (
	kindAbsent = 0
	kindText   = 1
	kindNumber = 2
	kindFalse  = 3
	kindTrue   = 4
	kindList   = 5
)

// appendText appends the value of a text, absent if it is empty.
func appendText(b []byte, s string) []byte {
	if s == "" {
		return append(b, kindAbsent)
	}
	return appendItem(append(b, kindText), s)
}

// listable reports whether an item has room for a list.
func listable(list []string) bool {
	long := func(s string) bool { return len(s) > math.MaxUint16 }
	return len(list) <= math.MaxUint8 && !slices.ContainsFunc(list, long)
}

// appendList appends the value of a list that is listable.
func appendList(b []byte, list []string) []byte {
	b = append(b, kindList, byte(len(list)))
	for _, s := range list {
		b = appendItem(b, s)
	}
	return b
}

func appendItem(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

// appendClaim appends the item of a claim, and nothing for one that is unknown.
func appendClaim(b []byte, name string, custom map[string]any) []byte {
	if name == "" || len(name) > math.MaxUint8 {
		return b
	}
	v, ok := custom[name]
	item := append(append(b, whatClaim, byte(len(name))), name...)
	if !ok {
		return append(item, kindAbsent)
	}
	switch v := v.(type) {
	case string:
		if len(v) <= math.MaxUint16 {
			return appendItem(append(item, kindText), v)
		}
	case float64:
		return binary.BigEndian.AppendUint64(append(item, kindNumber), math.Float64bits(v))
	case bool:
		if v {
			return append(item, kindTrue)
		}
		return append(item, kindFalse)
	case []string:
		if listable(v) {
			return appendList(item, v)
		}
	}
	return b
}

// reader reads items.
type reader struct{ cursor.Cursor }

func newReader(items string) reader { return reader{cursor.New([]byte(items))} }

func (r *reader) more() bool { return !r.Bad() && len(r.Left()) > 0 }

// item is one item. Its claim has the value.
type item struct {
	what uint8
	name string
	Claim
}

func (r *reader) item() (i item) {
	if i.what = r.Uint8(); i.what == whatClaim {
		i.name = string(r.Take(int(r.Uint8())))
		r.Require(i.name != "")
	}
	i.state = Present
	switch r.Uint8() {
	case kindAbsent:
		i.state = Absent
	case kindText:
		i.value = r.text()
	case kindNumber:
		i.value = math.Float64frombits(r.Uint64())
	case kindFalse:
		i.value = false
	case kindTrue:
		i.value = true
	case kindList:
		list := make([]string, 0, 8)
		for n := r.Uint8(); n > 0 && !r.Bad(); n-- {
			list = append(list, r.text())
		}
		i.value = list
	default:
		r.Require(false)
	}
	return i
}

func (r *reader) text() string { return string(r.Take(int(r.Uint16()))) }
