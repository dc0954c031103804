package resume

import (
	"encoding/binary"
)

// shared is the text that sessions of one file have in common: issuers, scopes,
// builds. Where a text comes first it stands behind number 0 as an item, and
// gets the next number from 1, up to 65,535 of them; later its number (2) stands
// for it.
type shared struct {
	numbers map[string]uint16
	texts   []string
}

// maxShared is how many numbers there are.
const maxShared = 1<<16 - 1

func (n *shared) append(dst []byte, text string) []byte {
	if number, ok := n.numbers[text]; ok {
		return binary.BigEndian.AppendUint16(dst, number)
	}
	if len(n.numbers) < maxShared {
		n.numbers[text] = uint16(len(n.numbers) + 1)
	}
	return appendItem(append(dst, 0, 0), text)
}

func (n *shared) parse(u *unpacker) string {
	number := int(u.uint16())
	if number > 0 {
		u.require(number <= len(n.texts))
		if u.bad {
			return ""
		}
		return n.texts[number-1]
	}
	text := string(u.item())
	if len(n.texts) < maxShared {
		n.texts = append(n.texts, text)
	}
	return text
}
