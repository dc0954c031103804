package nakama

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// maxAnswer bounds an answer in bytes: an account, or an invitation with a certificate.
const maxAnswer = 64 << 10

// api calls Nakama by HTTP.
type api struct {
	url, key string
	session  string // Nakama's token of the player, after signIn
}

// signIn presents an identity token and returns the player's Nakama user id.
func (a *api) signIn(ctx context.Context, identity []byte) (user string, err error) {
	var session struct {
		Token string `json:"token"`
	}
	account := map[string]string{"id": string(identity)}
	if err := a.call(ctx, http.MethodPost, "/v2/account/authenticate/custom", account, &session); err != nil {
		return "", fmt.Errorf("signing in to Nakama: %w", err)
	}
	a.session = session.Token
	var me struct {
		User struct {
			ID string `json:"id"`
		} `json:"user"`
	}
	if err := a.call(ctx, http.MethodGet, "/v2/account", nil, &me); err != nil {
		return "", fmt.Errorf("reading the account: %w", err)
	}
	return me.User.ID, nil
}

// rpc calls an RPC and returns its payload.
func (a *api) rpc(ctx context.Context, id string, payload any) (string, error) {
	text, err := json.Marshal(payload)
	if err != nil {
		return "", err
	}
	var answer struct {
		Payload string `json:"payload"`
	}
	if err := a.call(ctx, http.MethodPost, "/v2/rpc/"+id, string(text), &answer); err != nil {
		return "", fmt.Errorf("RPC %s: %w", id, err)
	}
	return answer.Payload, nil
}

// call sends a request, as the game before signIn and as the player afterwards.
func (a *api) call(ctx context.Context, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(a.url, "/")+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if r.SetBasicAuth(a.key, ""); a.session != "" {
		r.Header.Set("Authorization", "Bearer "+a.session)
	}
	reply, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	b, err := io.ReadAll(io.LimitReader(reply.Body, maxAnswer))
	if err != nil {
		return err
	}
	if reply.StatusCode != http.StatusOK {
		return refusal(reply.StatusCode, b)
	}
	return json.Unmarshal(b, out)
}

// refusal is what Nakama says when it refuses, or the status.
func refusal(status int, body []byte) error {
	var said struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(body, &said) == nil && said.Message != "" {
		return fmt.Errorf("refused with status %d: %q", status, said.Message)
	}
	return fmt.Errorf("refused with status %d", status)
}
