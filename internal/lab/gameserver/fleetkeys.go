package gameserver

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/fleetkey"
)

// errNoKey is the error of an empty file.
var errNoKey = errors.New("it holds no key: put one on each line, as fleetkey.Key.Text writes it")

// ReadFleetKeys reads a file of fleet keys, at least one, that only its owner can read.
func ReadFleetKeys(path string) ([]fleetkey.Key, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("others than its owner may read %s, and so play on as anybody: chmod 600 %s", path, path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	defer clear(text)
	keys, err := fleetkey.Parse(text)
	if err == nil && len(keys) == 0 {
		err = errNoKey
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return keys, nil
}

// SetFleetKeys puts keys in place of those of Config.FleetKeys, for all tickets and snapshots to come.
func (s *Server) SetFleetKeys(keys ...fleetkey.Key) error {
	if err := s.config.FleetKeys.Set(keys...); err != nil {
		return err
	}
	if s.config.Audit != nil {
		s.config.Audit.Record(audit.Event{Decision: audit.KeyRotation, Detail: "the fleet's keys"})
	}
	return nil
}
