package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/internal/plaindtls"
)

// Of the client: how long the handshake may take, how long it waits for the answer to its first line, since a server that
// has not taken the keys over yet keeps only a few, how long for the last ones, and how many lines may be unanswered before
// it waits a moment.
const (
	dialTime   = 5 * time.Second
	firstWait  = time.Second / 2
	lastWait   = 2 * time.Second
	unanswered = 64
	moment     = 20 * time.Millisecond
)

// connect is the client, until its input is sent and answered, or ctx is done.
func connect(ctx context.Context, f *flags, config plaindtls.Config, stdin io.Reader, stdout, stderr io.Writer) int {
	if _, _, err := net.SplitHostPort(f.connect); err != nil {
		return complain(stderr, exitUsage, fmt.Errorf("-connect %s: give host:port", f.connect))
	}
	dial, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	client, err := plaindtls.Dial(dial, f.connect, config)
	switch {
	case ctx.Err() != nil:
		return exitOK
	case err != nil:
		return complain(stderr, exitFailed, fmt.Errorf("cannot connect to %s: %w", f.connect, why(err)))
	}
	defer client.Close() //nolint:errcheck // it is over
	e := &exchange{client: client, another: make(chan struct{}, 1)}
	received := make(chan error, 1)
	go func() { received <- e.receive(stdout) }()
	sent := make(chan error, 1)
	go func() { sent <- e.send(bufio.NewReader(stdin)) }()
	select {
	case err = <-sent:
	case err = <-received:
	case <-ctx.Done(): // whoever reads a terminal cannot be woken: the process ends with it
	}
	if errors.Is(err, io.EOF) {
		err = errors.New("the server has closed the connection")
	}
	if err != nil {
		return complain(stderr, exitFailed, err)
	}
	return exitOK
}

// why adds what is wrong with the server's certificate, which the error's text leaves out.
func why(err error) error {
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &authority):
		return fmt.Errorf("%w: %w (give it, or who signed it, with -ca)", plaindtls.ErrHandshake, authority)
	case errors.As(err, &host):
		return fmt.Errorf("%w: %w (say whom it is for with -name)", plaindtls.ErrHandshake, host)
	case errors.As(err, &invalid):
		return fmt.Errorf("%w: %w", plaindtls.ErrHandshake, invalid)
	}
	return err
}

// exchange sends lines and prints answers.
type exchange struct {
	client  *plaindtls.Client
	answers atomic.Int64
	another chan struct{} // capacity 1: there is a new one
}

// receive prints what returns until the connection ends.
func (e *exchange) receive(stdout io.Writer) error {
	b := make([]byte, plaindtls.MaxPayload)
	for {
		n, err := e.client.Receive(context.Background(), b)
		switch {
		case errors.Is(err, io.ErrShortBuffer):
			return errors.New("the server has sent more than fits a datagram of 1200 bytes")
		case err != nil:
			return err
		}
		text := b[:n:n]
		if !bytes.HasSuffix(text, []byte("\n")) {
			text = append(text, '\n')
		}
		if _, err := stdout.Write(text); err != nil {
			return err
		}
		e.answers.Add(1)
		select {
		case e.another <- struct{}{}:
		default:
		}
	}
}

// send sends the lines of stdin, and returns when they have been answered or the time for that is over.
func (e *exchange) send(stdin *bufio.Reader) error {
	for sent := int64(0); ; {
		text, err := stdin.ReadBytes('\n')
		if len(text) > 0 {
			sent++
			if len(text) > plaindtls.MaxPayload {
				return fmt.Errorf("line %d has %d bytes: a record carries at most %d", sent, len(text), plaindtls.MaxPayload)
			}
			if err := e.client.Send(text); err != nil {
				return err
			}
		}
		switch {
		case err == io.EOF:
			e.await(sent, lastWait)
			return nil
		case err != nil:
			return fmt.Errorf("cannot read standard input: %w", err)
		}
		if sent == 1 {
			e.await(sent, firstWait)
		}
		e.await(sent-unanswered, moment)
	}
}

// await waits until there have been n answers, but no longer than patience.
func (e *exchange) await(n int64, patience time.Duration) {
	over := time.After(patience)
	for e.answers.Load() < n {
		select {
		case <-e.another:
		case <-over:
			return
		}
	}
}
