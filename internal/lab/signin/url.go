package signin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// URL returns a source that asks a sign-in service for each token: https, or http to this host. The service answers
// with status 200 and {"token": "…"} or the token alone.
func URL(ctx context.Context, url string) (Source, error) {
	if err := checkURL(url); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return func(ctx context.Context) ([]byte, error) {
		status, body, err := request(ctx, http.MethodPost, url)
		if err == nil && status == http.StatusMethodNotAllowed {
			status, body, err = request(ctx, http.MethodGet, url)
		}
		switch {
		case err != nil:
			return nil, err
		case status != http.StatusOK:
			return nil, fmt.Errorf("signin: status %d", status)
		}
		return tokenIn(body)
	}, nil
}

func request(ctx context.Context, method, url string) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return 0, nil, fmt.Errorf("signin: %w", err)
	}
	return do(req)
}

// tokenIn finds the token in a body.
func tokenIn(body []byte) ([]byte, error) {
	body = bytes.TrimSpace(body)
	if bytes.HasPrefix(body, []byte{'{'}) {
		var answer struct {
			Token string `json:"token"`
		}
		if err := json.Unmarshal(body, &answer); err != nil {
			return nil, errors.New("signin: the answer is not the JSON it looks like")
		}
		body = []byte(answer.Token)
	}
	if bytes.Count(body, []byte{'.'}) != 2 || bytes.ContainsAny(body, " \t\r\n<") {
		return nil, errors.New("signin: the answer has no token in it")
	}
	return body, nil
}
