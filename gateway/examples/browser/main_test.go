package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/gateway/websocket"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/internal/vectors"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

// chromium is the path of the browser. CI installs one; elsewhere a missing one skips the test.
func chromium(t *testing.T) (path string) {
	t.Helper()
	find := func() (err error) {
		for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
			if path, err = exec.LookPath(name); err == nil {
				return nil
			}
		}
		return errors.New("no Chromium is installed")
	}
	err := find()
	if err != nil && os.Getenv("CI") != "" {
		if err = testkit.Install("chromium", "fonts-dejavu-core"); err == nil {
			err = find()
		}
	}
	testkit.Need(t, err)
	return path
}

// visit has a browser open a page until the test ends.
func visit(t *testing.T, url string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, chromium(t), "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
		"--remote-debugging-port=0", "--user-data-dir="+t.TempDir(), url)
	cmd.WaitDelay = 5 * time.Second
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was told to end
		for line := range strings.Lines(out.String()) {
			if t.Failed() && !strings.Contains(line, "dbus") {
				t.Log(line)
			}
		}
	})
}

// The client makes of the vectors that it has a part in what they say: numbers, HELLO and the proof in it, keys and tags of
// both ends, what it takes and what it drops, the overlap of epochs, CLOSE.
func TestVectors(t *testing.T) {
	t.Parallel()
	node(t, "testdata/vectors.mjs", vectors.Bytes(t))
}

// The client signs in before it connects, however long that takes, and says why it cannot. It gives up a WebSocket that the
// network has taken, without waiting for its end, and shows its ticket alone while no token can be had.
func TestResumes(t *testing.T) {
	t.Parallel()
	node(t, "testdata/resumes.mjs", nil)
}

// node runs a script with the client.
func node(t *testing.T, script string, in []byte) {
	t.Helper()
	_, err := exec.LookPath("node")
	testkit.Need(t, err)
	client := filepath.Join(t.TempDir(), "sallyport.mjs") // a module by its name, as it is one for a browser by its page
	source, err := page.ReadFile("page/sallyport.js")
	if err == nil {
		err = os.WriteFile(client, source, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", script, client)
	cmd.Stdin = bytes.NewReader(in)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// The client in a browser signs in, joins, talks, renews, resumes on another WebSocket, is put out, and says why; and so
// does the example's page.
func TestBrowser(t *testing.T) {
	front := httptest.NewUnstartedServer(nil)
	origin := "http://" + front.Listener.Addr().String()
	c, err := newChat(origin, 4*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	h, served := c.handler(), make(chan error, 1)
	var players sync.Map
	h.Join = func(p *transport.Player) { players.Store(p.Session().Subject(), p) }
	go func() { served <- c.Serve(h) }()
	mux := c.pages()
	for _, name := range []string{"/test.html", "/test.js"} {
		mux.HandleFunc("GET "+name, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, "testdata"+name) })
	}
	mux.HandleFunc("POST /kick", func(_ http.ResponseWriter, r *http.Request) {
		if p, ok := players.Load(r.FormValue("name")); ok {
			p.(*transport.Player).Kick(session.ReasonKicked, "out")
		}
	})
	reports := make(chan string, 1)
	mux.HandleFunc("POST /report", func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		reports <- string(b)
	})
	front.Config = websocket.NewServer(c.carrier)
	front.Config.Handler = mux
	front.Start()
	defer func() {
		c.Close()
		<-served
		front.Close()
	}()
	visit(t, origin+"/test.html")
	select {
	case report := <-reports:
		if report != "" {
			t.Errorf("the browser says %s\nserver: %+v\n%+v", report, c.Stats(), c.carrier.Stats())
		}
	case <-time.After(60 * time.Second):
		t.Fatalf("the browser does not report; %+v", c.carrier.Stats())
	}
	if st := c.carrier.Stats(); st.Browsers < 6 || st.Browsers != st.Accepted || st.RelaysFailed != 0 {
		t.Errorf("%+v", st)
	}
}

// The login answers its own page alone.
func TestLogin(t *testing.T) {
	t.Parallel()
	c, err := newChat("http://127.0.0.1:8080", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for host, want := range map[string]int{"127.0.0.1:8080": 200, "localhost:8080": 200, "evil.example": 403} {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/login?name=alice", nil)
		r.Host = host
		if c.pages().ServeHTTP(w, r); w.Code != want {
			t.Errorf("%s: %d", host, w.Code)
		}
	}
	w := httptest.NewRecorder()
	if c.pages().ServeHTTP(w, httptest.NewRequest(http.MethodPost, "http://localhost/login", nil)); w.Code != http.StatusBadRequest {
		t.Errorf("without a name: %d", w.Code)
	}
}

// The program says where its page is, serves it, and ends when it is told to.
func TestRun(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	out, ended := new(testkit.Console), make(chan error, 1)
	go func() { ended <- run(ctx, "127.0.0.1:0", out) }()
	url := out.Find(t, `open (http://[0-9.:]+/)\?name`)
	for path, says := range map[string]string{"": "<h1>", "page.js": "Session", "sallyport.js": "export class Session"} {
		answer, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK || !strings.Contains(string(b), says) || answer.Header.Get("Content-Security-Policy") == "" {
			t.Errorf("%s: %s, %d bytes", path, answer.Status, len(b))
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
