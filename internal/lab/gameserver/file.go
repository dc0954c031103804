package gameserver

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// File holds what a client needs to join a development server.
type File struct {
	Addr     string `json:"addr"`      // of the players' UDP port
	CA       string `json:"ca_pem"`    // vouches for the server's certificate
	TokenURL string `json:"token_url"` // where identity tokens are minted
}

// Write puts f at path, for its owner alone (mode 0600). A reader sees the old file or the whole new one.
func (f File) Write(path string) (err error) {
	b, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".sallyport-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(tmp.Name()) //nolint:errcheck // err says more
		}
	}()
	_, err = tmp.Write(append(b, '\n'))
	if e := tmp.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// ReadFile reads what Write wrote.
func ReadFile(path string) (File, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return File{}, err
	}
	var f File
	if err := json.Unmarshal(b, &f); err != nil {
		return File{}, fmt.Errorf("%s is no development file: %w", path, err)
	}
	if f.CA == "" || f.TokenURL == "" {
		return File{}, fmt.Errorf("%s is no development file: ca_pem and token_url must be there", path)
	}
	return f, nil
}
