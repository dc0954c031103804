package signals_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/sallyport/sallyport/fleet/revocation"
	"github.com/sallyport/sallyport/fleet/signals"
	"github.com/sallyport/sallyport/internal/cognito"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/token"
)

const pool = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Game"

// call does one action of the Cognito API, as the emulator has it.
func call(ctx context.Context, e *cognito.Emulator, action string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, e.Endpoint, bytes.NewReader(body))
	if err != nil {
		return err
	}
	q.Header.Set("Content-Type", "application/x-amz-json-1.1")
	q.Header.Set("X-Amz-Target", "AWSCognitoIdentityProviderService."+action)
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		return err
	}
	defer a.Body.Close() //nolint:errcheck // it was read
	b, err := io.ReadAll(a.Body)
	if err != nil || a.StatusCode != http.StatusOK {
		return errors.Join(err, errors.New(action+": "+a.Status+" "+string(b)))
	}
	return json.Unmarshal(b, out)
}

// An account that is disabled in an emulator of Amazon Cognito is revoked, once, and again when it has
// been enabled and disabled in between. The emulator knows no filter by status, so the test filters.
func TestCognitoAccountDisabled(t *testing.T) {
	t.Parallel()
	e := cognito.Start(t)
	e.AddUser(t, "alice@game.example", "Correct-horse-1", "players")
	e.AddUser(t, "bob@game.example", "Correct-horse-1", "players")
	disk := new(disk)
	subjects := map[string]string{}
	var looks int
	c := signals.CognitoConfig{
		Issuer: pool, Publisher: disk, Interval: 20 * time.Millisecond,
		Disabled: func(ctx context.Context, page string) (list []signals.CognitoUser, next string, err error) {
			var out struct {
				Users []struct {
					Username             string
					Enabled              bool
					UserLastModifiedDate float64
					Attributes           []struct{ Name, Value string }
				}
			}
			err = call(ctx, e, "ListUsers", map[string]any{"UserPoolId": e.Pool}, &out)
			disk.mu.Lock()
			defer disk.mu.Unlock()
			looks++
			for _, u := range out.Users {
				for _, a := range u.Attributes {
					switch {
					case a.Name == "email":
						subjects[a.Value] = u.Username
					case a.Name == "sub" && !u.Enabled:
						list = append(list, signals.CognitoUser{Subject: a.Value, Modified: time.UnixMilli(int64(u.UserLastModifiedDate * 1000))})
					}
				}
			}
			return list, "", err
		},
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- signals.WatchCognito(ctx, c) }()
	more := func(n int) func() bool {
		disk.mu.Lock()
		defer disk.mu.Unlock()
		start := looks
		return func() bool {
			disk.mu.Lock()
			defer disk.mu.Unlock()
			return looks > start+n
		}
	}
	await(t, "some looks", more(2))
	if r := disk.take(); r != nil {
		t.Errorf("nobody is disabled: %+v", r)
	}
	alice := map[string]any{"UserPoolId": e.Pool, "Username": "alice@game.example"}
	for range 2 {
		var nothing any
		if err := call(t.Context(), e, "AdminDisableUser", alice, &nothing); err != nil {
			t.Fatal(err)
		}
		await(t, "some looks", more(3))
		r := disk.take()
		if len(r) != 1 || r[0].Kind != revocation.KindSubject || r[0].Issuer != pool || r[0].Value != subjects["alice@game.example"] ||
			time.Since(r[0].IssuedBy) > time.Minute {
			t.Errorf("%+v, want one of %v", r, subjects)
		}
		if err := call(t.Context(), e, "AdminEnableUser", alice, &nothing); err != nil {
			t.Fatal(err)
		}
		await(t, "some looks", more(2))
		time.Sleep(1100 * time.Millisecond) // UserLastModifiedDate has seconds
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestWatchCognito(t *testing.T) {
	t.Parallel()
	now := time.Now()
	pages := map[string][]signals.CognitoUser{
		"":  {{Subject: "old", Modified: now.Add(-25 * time.Hour)}, {Subject: "new", Modified: now}},
		"2": {{Subject: "ahead", Modified: now.Add(time.Minute)}, {Subject: "", Modified: now}},
	}
	disk := new(disk)
	looks := 0
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := signals.WatchCognito(ctx, signals.CognitoConfig{
		Issuer: pool, Publisher: disk, Interval: time.Millisecond,
		Disabled: func(_ context.Context, page string) ([]signals.CognitoUser, string, error) {
			switch looks++; {
			case looks == 1:
				return nil, "", errors.New("throttled")
			case looks == 2: // the look after that has what could not be stored
				disk.fill(true)
			case looks == 4:
				disk.fill(false)
			case looks == 8:
				cancel()
			}
			next := ""
			if page == "" {
				next = "2"
			}
			return pages[page], next, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := disk.take()
	if len(r) != 2 || r[0].Value != "new" || r[1].Value != "ahead" || r[0].IssuedBy.Before(now) || !r[1].IssuedBy.Equal(now.Add(time.Minute)) {
		t.Errorf("%+v", r)
	}
	for name, c := range map[string]signals.CognitoConfig{
		"Issuer": {}, "Disabled": {Issuer: pool},
		"Publisher": {Issuer: pool, Disabled: func(context.Context, string) ([]signals.CognitoUser, string, error) { return nil, "", nil }},
	} {
		if err := signals.WatchCognito(t.Context(), c); !errors.Is(err, signals.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The example of a Lambda function pushes what CloudTrail records, and a Receiver believes it.
func TestCognitoLambda(t *testing.T) {
	t.Parallel()
	node, err := exec.LookPath("node")
	if err != nil {
		testkit.Need(t, err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := token.NewPublicKey("lambda-1", token.ES256, &key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := token.NewStaticKeys(public)
	if err != nil {
		t.Fatal(err)
	}
	disk := new(disk)
	r, err := signals.New(signals.Config{Publisher: disk, Transmitters: []signals.Transmitter{{
		Profile:       token.Profile{Issuer: "https://hook.game.example", Audience: []string{"https://game.example/signals"}, Algorithm: token.ES256, Keys: keys},
		Opaque:        pool,
		Authorization: signals.NewSecret(bearer),
	}}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(r)
	defer server.Close()
	run := func(event string) (string, error) {
		cmd := exec.CommandContext(t.Context(), node, "--input-type=module", "-e",
			"import { handler } from './cognito/lambda.mjs'; await handler(JSON.parse(process.env.EVENT))")
		cmd.Env = append(os.Environ(), "EVENT="+event, "KEY="+string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
			"KEY_ID=lambda-1", "ISSUER=https://hook.game.example", "AUDIENCE=https://game.example/signals", "RECEIVER="+server.URL, "AUTHORIZATION="+bearer)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	at := time.Now().Add(-3 * time.Minute).Truncate(time.Second).UTC()
	event := func(name, extra string) string {
		return `{"detail":{"eventSource":"cognito-idp.amazonaws.com","eventName":"` + name + `","eventTime":"` + at.Format(time.RFC3339) + `","eventID":"` +
			name + `"` + extra + `}}`
	}
	for _, name := range []string{"AdminUserGlobalSignOut", "AdminDisableUser", "ChangePassword"} {
		if out, err := run(event(name, `,"additionalEventData":{"sub":"player-1"}`)); err != nil {
			t.Fatalf("%s: %v: %s", name, err, out)
		}
		want := revocation.Record{Kind: revocation.KindSubject, Issuer: pool, Value: "player-1", IssuedBy: at}
		if r := disk.take(); len(r) != 1 || r[0] != want {
			t.Errorf("%s: %+v, want %+v", name, r, want)
		}
	}
	for name, extra := range map[string]string{"AdminGetUser": `,"additionalEventData":{"sub":"player-1"}`, "AdminDisableUser": `,"errorCode":"UserNotFoundException"`} {
		if out, err := run(event(name, extra)); err != nil || disk.take() != nil {
			t.Errorf("%s: %v: %s", name, err, out)
		}
	}
	if _, err := run(event("AdminDisableUser", "")); err == nil {
		t.Error("an event without sub is not tried again")
	}
	server.Close()
	if _, err := run(event("AdminDeleteUser", `,"additionalEventData":{"sub":"player-1"}`)); err == nil {
		t.Error("an event that the receiver did not get is not tried again")
	}
}

// A list that gives the same instant in another time.Location each time, as encoding/json does, tells
// nothing new.
func TestCognitoSameInstant(t *testing.T) {
	t.Parallel()
	disk := new(disk)
	modified := time.Now().Add(-time.Minute)
	looks := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- signals.WatchCognito(ctx, signals.CognitoConfig{
			Issuer: pool, Publisher: disk, Interval: time.Millisecond,
			Disabled: func(context.Context, string) ([]signals.CognitoUser, string, error) {
				select {
				case looks <- struct{}{}:
				case <-ctx.Done():
				}
				return []signals.CognitoUser{{Subject: "alice", Modified: modified.In(time.FixedZone("", 7200))}}, "", nil
			},
		})
	}()
	for range 4 {
		<-looks
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if r := disk.take(); len(r) != 1 {
		t.Errorf("%d revocations of one account", len(r))
	}
}
