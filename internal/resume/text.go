package resume

import (
	"encoding/binary"
	"encoding/hex"
)

// shortUUID replaces a text's length before the 16 bytes of a UUID.
const shortUUID = 1<<16 - 1

// appendText appends a text of at most maxText bytes as an item. A lower-case UUID of 36
// characters, the form in which most identity providers name players and tokens, is written as its
// 16 bytes after shortUUID.
func appendText(dst []byte, text string) []byte {
	id, ok := parseUUID(text)
	if !ok {
		return appendItem(dst, text)
	}
	return append(binary.BigEndian.AppendUint16(dst, shortUUID), id[:]...)
}

func (u *unpacker) text() string {
	n := u.Uint16()
	if n != shortUUID {
		return string(u.Take(int(n)))
	}
	var id [16]byte
	u.Fill(id[:])
	return formatUUID(id)
}

func formatUUID(id [16]byte) string {
	text := make([]byte, 0, 36)
	for i, b := range id {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			text = append(text, '-')
		}
		text = hex.AppendEncode(text, []byte{b})
	}
	return string(text)
}

func parseUUID(text string) (id [16]byte, ok bool) {
	if len(text) != 36 {
		return id, false
	}
	digits := text[:8] + text[9:13] + text[14:18] + text[19:23] + text[24:]
	_, err := hex.Decode(id[:], []byte(digits))
	return id, err == nil && formatUUID(id) == text
}

// shared numbers the texts that sessions of one snapshot have in common: issuers, scopes, builds.
// The first occurrence of a text follows number 0, and gets the next number from 1, up to 65,535 of
// them; later its number (2) replaces it.
type shared struct {
	numbers map[string]uint16
	texts   []string
}

func (n *shared) append(dst []byte, text string) []byte {
	if number, ok := n.numbers[text]; ok {
		return binary.BigEndian.AppendUint16(dst, number)
	}
	if len(n.numbers) < maxShared {
		n.numbers[text] = uint16(len(n.numbers) + 1)
	}
	return appendText(append(dst, 0, 0), text)
}

func (n *shared) parse(u *unpacker) string {
	number := int(u.Uint16())
	if number > 0 {
		u.Require(number <= len(n.texts))
		if u.Bad() {
			return ""
		}
		return n.texts[number-1]
	}
	text := u.text()
	if len(n.texts) < maxShared {
		n.texts = append(n.texts, text)
	}
	return text
}
