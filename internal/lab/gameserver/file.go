package gameserver

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

const (
	fetchTime = 10 * time.Second // of a development file
	maxFile   = 64 << 10         // bytes of one
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
	return parseFile(path, b)
}

// FetchFile reads what a development server answers at /dev.
func FetchFile(ctx context.Context, url string) (File, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return File{}, err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return File{}, err
	}
	defer answer.Body.Close() //nolint:errcheck // it is read
	if answer.StatusCode != http.StatusOK {
		return File{}, fmt.Errorf("%s: %s: is it a server with -dev-public?", url, answer.Status)
	}
	b, err := io.ReadAll(io.LimitReader(answer.Body, maxFile))
	if err != nil {
		return File{}, err
	}
	return parseFile(url, b)
}

// parseFile reads a development file, which came from a path or a URL.
func parseFile(from string, b []byte) (f File, err error) {
	if err := json.Unmarshal(b, &f); err != nil {
		return File{}, fmt.Errorf("%s is no development file: %w", from, err)
	}
	if f.CA == "" || f.TokenURL == "" {
		return File{}, fmt.Errorf("%s is no development file: ca_pem and token_url must be there", from)
	}
	return f, nil
}
