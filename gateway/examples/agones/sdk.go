package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/sallyport/sallyport/gateway/internal/sdkserver"
)

// sdk is an SDK server, and what changes its GameServer from outside.
type sdk interface {
	allocate(annotations map[string]string) error
	annotate(key, value string) error
	close()
}

// recorded is the SDK server that behaves as it was recorded.
type recorded struct {
	*sdkserver.Server

	http *http.Server
}

// startRecorded starts one, and returns its address.
func startRecorded(name string) (sdk, string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	s := sdkserver.New(name)
	s.Lag = 100 * time.Millisecond
	r := &recorded{s, &http.Server{Handler: s, ReadHeaderTimeout: time.Second}}
	go r.http.Serve(l) //nolint:errcheck // until close
	return r, "http://" + l.Addr().String(), nil
}

func (r *recorded) allocate(annotations map[string]string) error {
	r.Allocate(annotations)
	return nil
}

func (r *recorded) annotate(key, value string) error {
	r.Annotate(key, value)
	return nil
}

func (r *recorded) close() { r.http.Close() } //nolint:errcheck // the program ends

// local is Agones' own SDK server in local mode, which reads the GameServer from a file and reads it again
// when that is written.
type local struct {
	process     *exec.Cmd
	dir, name   string
	state       string
	annotations map[string]string
}

// startReal starts one, and returns its address.
func startReal(binary, name string) (sdk, string, error) {
	dir, err := os.MkdirTemp("", "agones-")
	if err != nil {
		return nil, "", err
	}
	l := &local{dir: dir, name: name, state: "Scheduled", annotations: map[string]string{}}
	grpc, err1 := freePort()
	rest, err2 := freePort()
	if err := errors.Join(err1, err2, l.write()); err != nil {
		l.close()
		return nil, "", err
	}
	l.process = exec.Command(binary, "--local", "--file", l.file(), "--address", "127.0.0.1", "--grpc-port", grpc, "--http-port", rest)
	l.process.Stderr = os.Stderr
	if err := l.process.Start(); err != nil {
		l.process = nil
		l.close()
		return nil, "", fmt.Errorf("cannot start -sdk-server: %w", err)
	}
	return l, "http://127.0.0.1:" + rest, nil
}

// freePort returns a port that was free a moment ago.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close() //nolint:errcheck // nobody has connected
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port), nil
}

func (l *local) file() string { return filepath.Join(l.dir, "gameserver.yaml") }

// write writes the GameServer: JSON, which is YAML as well.
func (l *local) write() error {
	b, err := json.Marshal(map[string]any{
		"apiVersion": "agones.dev/v1", "kind": "GameServer",
		"metadata": map[string]any{"name": l.name, "namespace": "default", "annotations": l.annotations},
		"spec":     map[string]any{"health": map[string]int{"periodSeconds": 3, "failureThreshold": 5, "initialDelaySeconds": 10}},
		"status":   map[string]any{"state": l.state, "address": "127.0.0.1"},
	})
	if err != nil {
		return err
	}
	return os.WriteFile(l.file(), b, 0o600)
}

func (l *local) allocate(annotations map[string]string) error {
	l.state = "Allocated"
	maps.Copy(l.annotations, annotations)
	return l.write()
}

func (l *local) annotate(key, value string) error {
	l.annotations[key] = value
	return l.write()
}

func (l *local) close() {
	if l.process != nil {
		l.process.Process.Kill() //nolint:errcheck // it has ended
		l.process.Wait()         //nolint:errcheck // likewise
	}
	os.RemoveAll(l.dir) //nolint:errcheck // the program ends
}
