package natscarrier

import (
	"fmt"
	"strings"

	"github.com/sallyport/sallyport/fleet/revocation"
)

// Permissions returns what NATS has to allow the process with this configuration, as a block of a
// NATS configuration file that belongs to one user:
//
//	authorization {
//	  users: [
//	    {user: "spiffe://fleet.example/role/game-state/match-1", permissions: {…}}
//	  ]
//	}
//
// With verify_and_map in the file's block tls, NATS takes the user from the SPIFFE id in the client's
// certificate. publishers are those whose key the process has. With Replicas above 0 it may make the
// stream, too. The error matches ErrConfig.
func (c Config) Permissions(publishers ...revocation.PublisherID) (string, error) {
	c, err := c.WithDefaults()
	if err != nil {
		return "", err
	}
	n := names{c.Prefix}
	publish := []string{
		n.topic(revocation.TopicLive, c.Name),
		n.topic(revocation.TopicAsk, c.Name),
		directGet + c.Stream,
	}
	for _, p := range publishers {
		publish = append(publish, n.state(p.String())+".*")
	}
	if c.Replicas > 0 {
		for _, verb := range []string{"CREATE", "UPDATE", "INFO"} {
			publish = append(publish, "$JS.API.STREAM."+verb+"."+c.Stream)
		}
	}
	subscribe := []string{
		n.topic(revocation.TopicLive, "*"),
		n.topic(revocation.TopicAsk, "*"),
		n.inbox(c.Name) + ".>",
	}
	return fmt.Sprintf("{\n  publish: {allow: [%s]}\n  subscribe: {allow: [%s]}\n}\n", quoted(publish), quoted(subscribe)), nil
}

func quoted(subjects []string) string {
	return `"` + strings.Join(subjects, `", "`) + `"`
}
