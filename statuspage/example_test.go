package statuspage_test

import (
	"fmt"
	"net"
	"net/http"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/dev"
	"github.com/sallyport/sallyport/metrics"
	"github.com/sallyport/sallyport/statuspage"
	"github.com/sallyport/sallyport/transport"
)

// A page for whoever is logged in to the machine, who may also revoke and ban.
func Example() {
	login, err := dev.NewLogin(dev.Config{Address: "127.0.0.1:0"}) // a game brings its own certificate and verifier
	check(err)
	defer login.Close()
	recent := audit.NewRecent(1000)
	config := login.Config()
	config.Audit = recent
	server, err := transport.Listen("127.0.0.1:0", config)
	check(err)
	defer server.Close()
	go server.Serve(transport.Handler{}) // or the match's own loop, with Poll

	page, err := statuspage.Handler(statuspage.Config{
		Server: server, Events: recent, Names: true, Authorize: statuspage.Local, Revoker: server,
		Metrics: metrics.Handler(metrics.NewCollector(server.Stats)),
	})
	check(err)
	l, err := net.Listen("tcp", "127.0.0.1:0") // 7780, say
	check(err)
	operators := statuspage.NewServer(page)
	defer operators.Close()
	go operators.Serve(l)

	answer, err := http.Get("http://" + l.Addr().String() + "/ready")
	check(err)
	defer answer.Body.Close()
	fmt.Println(answer.Status)
	// Output: 200 OK
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
