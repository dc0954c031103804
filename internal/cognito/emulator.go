package cognito

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// startTime is how long the emulator may take to begin.
const startTime = 30 * time.Second

// Emulator is a user pool of cognito-local with one app client, whose access tokens live an hour. Its key is the same in
// every copy of that program: never trust its tokens outside of tests.
type Emulator struct {
	Endpoint string // http://127.0.0.1:port
	Pool     string
	Client   string
}

// Start runs an emulator until the test ends.
func Start(t testing.TB) *Emulator {
	t.Helper()
	program := filepath.Join(Modules(t), "cognito-local", "lib", "bin", "start.js")
	port := freePort(t)
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "node", program)
	cmd.Dir = t.TempDir() // where it keeps its users
	cmd.Env = append(os.Environ(), "HOST=127.0.0.1", "PORT="+port, "AWS_REGION=local", "AWS_ACCESS_KEY_ID=none", "AWS_SECRET_ACCESS_KEY=none")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	ready, drained := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(drained)
		watch(out, ready)
	}()
	t.Cleanup(func() {
		cancel()
		<-drained
		_ = cmd.Wait() // it was killed
	})
	select {
	case line := <-ready:
		if !strings.Contains(line, "running on") {
			t.Fatalf("cognito-local does not start: %s", line)
		}
	case <-time.After(startTime):
		t.Fatal("cognito-local does not start")
	}
	e := &Emulator{Endpoint: "http://127.0.0.1:" + port}
	e.populate(t)
	return e
}

// watch tells when the program says that it runs, or what it said last, and reads on to its end.
func watch(out io.Reader, ready chan<- string) {
	said := ""
	for lines := bufio.NewScanner(out); lines.Scan(); {
		said = lines.Text()
		if strings.Contains(said, "running on") {
			ready <- said
			_, _ = io.Copy(io.Discard, out) // until it ends
			return
		}
	}
	ready <- said
}

// freePort is a port that nobody listened on a moment ago.
func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // it has served
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

func (e *Emulator) populate(t testing.TB) {
	t.Helper()
	var pool struct{ UserPool struct{ ID string } }
	e.call(t, "CreateUserPool", map[string]any{"PoolName": "players"}, &pool)
	e.Pool = pool.UserPool.ID
	var client struct{ UserPoolClient struct{ ClientID string } }
	e.call(t, "CreateUserPoolClient", map[string]any{
		"UserPoolId": e.Pool, "ClientName": "game", "AccessTokenValidity": 1,
		"ExplicitAuthFlows": []string{"ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"},
	}, &client)
	e.Client = client.UserPoolClient.ClientID
}

// AddUser makes a player who is in a group. The name is an email address: the emulator insists.
func (e *Emulator) AddUser(t testing.TB, name, password, group string) {
	t.Helper()
	// Each action takes what it needs of it.
	user := map[string]any{
		"UserPoolId": e.Pool, "Username": name, "Password": password, "Permanent": true, "GroupName": group, "MessageAction": "SUPPRESS",
	}
	for _, action := range []string{"AdminCreateUser", "AdminSetUserPassword", "CreateGroup", "AdminAddUserToGroup"} {
		e.call(t, action, user, nil)
	}
}

// call does one action of the Cognito API: AWS JSON 1.1 over HTTP.
func (e *Emulator) call(t testing.TB, action string, in, out any) {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, e.Endpoint, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", "AWSCognitoIdentityProviderService."+action)
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close() //nolint:errcheck // it is read
	body, err = io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d: %s", answer.StatusCode, body)
	}
	if err == nil && out != nil {
		err = json.Unmarshal(body, out)
	}
	if err != nil {
		t.Fatalf("%s: %v", action, err)
	}
}
