package fleetkey

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

func TestFile(t *testing.T) {
	a, b := newTestKey(t, 1), newTestKey(t, 2)
	textA, _ := a.Text()
	textB, _ := b.Text()
	if want := "01000001:" + hex.EncodeToString(counting(1, 32)) + "\n"; string(textA) != want {
		t.Errorf("Text is %q, want %q", textA, want)
	}
	file := "# of November\n" + string(textA) + "\r\n  \n" + strings.ToUpper(strings.TrimSpace(string(textB)))
	keys, err := Parse([]byte(file))
	if err != nil || len(keys) != 2 || keys[0].ID() != a.ID() || keys[1].ID() != b.ID() {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	if again, err := keys[1].Text(); err != nil || !bytes.Equal(again, textB) {
		t.Errorf("%q comes back as %q, %v", textB, again, err)
	}
	if keys, err := Parse([]byte("# nothing\n")); err != nil || len(keys) != 0 {
		t.Errorf("no key: %d keys, %v", len(keys), err)
	}
	good := strings.TrimSpace(string(textA))
	for name, file := range map[string]string{
		"short": good[:len(good)-1], "long": good + "0", "no colon": strings.Replace(good, ":", " ", 1),
		"no hex in id": "x" + good[1:], "no hex in key": good[:len(good)-1] + "x", "id 0": "00000000" + good[8:],
		"two on a line": good + " " + good, "too long": strings.Repeat("#\n", maxFile/2) + "#",
	} {
		if _, err := Parse([]byte(file)); !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is taken is written as it was read, and read again.
func FuzzParse(f *testing.F) {
	text, err := newTestKey(f, 1).Text()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add(append([]byte("#\n\n"), text...))
	f.Fuzz(func(t *testing.T, file []byte) {
		keys, err := Parse(file)
		if err != nil && (!errors.Is(err, ErrKey) || keys != nil) {
			t.Fatalf("%d keys, %v", len(keys), err)
		}
		var again []byte
		for _, k := range keys {
			line, err := k.Text()
			if err != nil {
				t.Fatal(err)
			}
			again = append(again, line...)
		}
		if same, err := Parse(again); err != nil && len(again) <= maxFile || len(same) != len(keys) {
			t.Fatalf("%d keys of %d, %v", len(same), len(keys), err)
		}
	})
}
