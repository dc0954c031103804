package natstest

import (
	"io"
	"net"
	"sync"
)

// Line is one client's way to servers: a proxy on the loopback interface for each. It can be cut, as
// a network that drops everything, and mended.
type Line struct {
	proxies []*proxy
}

// NewLine returns a line to servers, each a URL or "host:port". Close it when done.
func NewLine(servers ...string) (*Line, error) {
	l := &Line{}
	for _, s := range servers {
		p, err := newProxy(address(s))
		if err != nil {
			l.Close()
			return nil, err
		}
		l.proxies = append(l.proxies, p)
	}
	return l, nil
}

// URLs are what the client connects to in place of the servers, in the same order.
func (l *Line) URLs() (urls []string) {
	for _, p := range l.proxies {
		urls = append(urls, "nats://"+p.listener.Addr().String())
	}
	return urls
}

// Cut has nothing get through any more, in either direction. Connections stay open and silent, and
// so do new ones: neither end is told.
func (l *Line) Cut() {
	for _, p := range l.proxies {
		p.set(true)
	}
}

// Mend ends a Cut: new connections work. Those that a Cut has lost bytes of are closed, as by a
// network whose state is gone.
func (l *Line) Mend() {
	for _, p := range l.proxies {
		p.set(false)
		p.drop()
	}
}

// Drop closes every connection. Both ends are told.
func (l *Line) Drop() {
	for _, p := range l.proxies {
		p.drop()
	}
}

// Close ends the line and returns when nothing of it runs any more.
func (l *Line) Close() {
	for _, p := range l.proxies {
		p.close()
	}
}

// proxy passes on what comes to one server.
type proxy struct {
	target   string
	listener net.Listener
	wg       sync.WaitGroup // accept, and two for each connection; close waits

	mu sync.Mutex
	// +checklocks:mu
	cut, closed bool
	// +checklocks:mu
	open map[net.Conn]bool
}

func newProxy(target string) (*proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{target: target, listener: l, open: map[net.Conn]bool{}}
	p.wg.Go(p.accept)
	return p, nil
}

func (p *proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.wg.Go(func() { p.serve(c) })
	}
}

// serve passes on what comes from one client, and what the server answers.
func (p *proxy) serve(client net.Conn) {
	defer p.forget(client)
	if !p.keep(client) {
		return
	}
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer p.forget(server)
	if !p.keep(server) {
		return
	}
	p.wg.Go(func() {
		defer p.forget(client)
		io.Copy(gate{p, client}, server) //nolint:errcheck // an error ends the connection
	})
	io.Copy(gate{p, server}, client) //nolint:errcheck // an error ends the connection
}

// gate writes to a connection unless the proxy is cut: then the bytes are lost.
type gate struct {
	p  *proxy
	to net.Conn
}

func (g gate) Write(b []byte) (int, error) {
	if g.p.isCut() {
		return len(b), nil
	}
	return g.to.Write(b)
}

func (p *proxy) isCut() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cut
}

func (p *proxy) set(cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = cut
}

// keep notes a connection that close has to end; false if that has been called.
func (p *proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.open[c] = true
	}
	return !p.closed
}

func (p *proxy) forget(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, c)
	c.Close() //nolint:errcheck // nobody reads it any more
}

func (p *proxy) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		c.Close() //nolint:errcheck // its copies end
	}
}

func (p *proxy) close() {
	p.listener.Close() //nolint:errcheck // accept ends
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.drop()
	p.wg.Wait()
}
