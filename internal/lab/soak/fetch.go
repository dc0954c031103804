package soak

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
)

// get fetches a short text.
func get(ctx context.Context, address string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, statsTime)
	defer cancel()
	body, err := open(ctx, address)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(io.LimitReader(body, shortText))
}

// open begins to fetch a text, which the caller closes.
func open(ctx context.Context, address string) (io.ReadCloser, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	why, _ := io.ReadAll(io.LimitReader(resp.Body, shortText))
	return nil, fmt.Errorf("%s: %s %s", address, resp.Status, bytes.TrimSpace(why))
}
