package fleetkey

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
)

// Text returns the key as a line of a key file: id and key in hexadecimal, separated by a colon.
// Anyone who has it can resume as any player: keep the file at mode 0600. The error matches ErrKey:
// the key is zero or was wiped.
func (k Key) Text() ([]byte, error) {
	secret, err := k.reveal()
	defer clear(secret[:])
	if err != nil {
		return nil, err
	}
	line := hex.AppendEncode(nil, binary.BigEndian.AppendUint32(nil, k.ID()))
	line = hex.AppendEncode(append(line, ':'), secret[:])
	return append(line, '\n'), nil
}

// Parse reads a key file for NewRing or Set: one key a line, as Text writes it, the sealing key
// first. Blank lines and lines that begin with # are skipped. Only the server may be able to read
// the file. Errors match ErrKey.
func Parse(data []byte) (keys []Key, err error) {
	if len(data) > maxFile {
		return nil, refuse("the file is longer than 4096 bytes")
	}
	for line := range bytes.Lines(data) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		k, err := parseLine(line)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, nil
}

func parseLine(line []byte) (Key, error) {
	var b [4 + 32]byte
	defer clear(b[:])
	if len(line) != 8+1+64 || line[8] != ':' {
		return Key{}, refuse("a line is not 8 hexadecimal digits, a colon and 64 more")
	}
	_, errID := hex.Decode(b[:4], line[:8])
	_, errKey := hex.Decode(b[4:], line[9:])
	if errID != nil || errKey != nil {
		return Key{}, refuse("a line is not 8 hexadecimal digits, a colon and 64 more")
	}
	return New(binary.BigEndian.Uint32(b[:]), b[4:])
}
