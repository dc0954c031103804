package succession

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/sallyport/sallyport/fleetkey"
	"github.com/sallyport/sallyport/internal/lab/gameserver"
)

// folder is where the children find what they need, and leave what the next one needs.
type folder string

func (f folder) fleetKeys() string { return filepath.Join(string(f), "fleet.keys") }
func (f folder) snapshot() string  { return filepath.Join(string(f), "snapshot") }

// audit is the file of one child.
func (f folder) audit(number int) string {
	return filepath.Join(string(f), fmt.Sprintf("audit-%d.jsonl", number))
}

// newFolder makes one with fresh keys. It is the caller's to remove.
func newFolder() (folder, *gameserver.Dev, error) {
	dir, err := os.MkdirTemp("", "sallyport-*") // mode 0700
	if err != nil {
		return "", nil, err
	}
	f := folder(dir)
	dev, err := gameserver.NewDev()
	if err == nil {
		err = dev.Save(dir)
	}
	if err == nil {
		err = f.writeFleetKey()
	}
	if err != nil {
		f.remove()
		return "", nil, err
	}
	return f, dev, nil
}

func (f folder) writeFleetKey() error {
	key, err := fleetkey.Generate()
	if err != nil {
		return err
	}
	line, err := key.Text()
	if err != nil {
		return err
	}
	return os.WriteFile(f.fleetKeys(), line, 0o600)
}

// ring reads what writeFleetKey wrote.
func (f folder) ring() (*fleetkey.Ring, error) {
	keys, err := gameserver.ReadFleetKeys(f.fleetKeys())
	if err != nil {
		return nil, err
	}
	return fleetkey.NewRing(keys...)
}

func (f folder) remove() { os.RemoveAll(string(f)) } //nolint:errcheck // what is left is of no use to anybody
