package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/sallyport/sallyport/fleet/admin"
	"github.com/sallyport/sallyport/fleet/identity"
	"github.com/sallyport/sallyport/fleet/internal/show"
)

// row joins the cells of a table.
func row(cells ...any) string {
	var b strings.Builder
	for i, c := range cells {
		if i > 0 {
			b.WriteByte('\t')
		}
		b.WriteString(clean(fmt.Sprint(c)))
	}
	return b.String()
}

// clean returns text that a client or an issuer may have chosen as it may go to a terminal. Nothing
// is "-".
func clean(text string) string { return cmp.Or(show.Safe(text), "-") }

// showAnswers prints the answers as a table or as JSON, and returns the exit status.
func showAnswers[T any](ctx context.Context, s *servers, header string, rows func(T) []string, answers []answer[T]) int {
	good := 0
	table := tabwriter.NewWriter(s.console.stdout, 0, 0, 2, ' ', 0)
	if !s.json {
		fmt.Fprintln(table, "SERVER\t"+header)
	}
	for _, a := range answers {
		if a.err == nil {
			good++
		}
		switch {
		case s.json:
			printAnswer(s, a.server, a.value, a.err)
		case a.err != nil:
			fmt.Fprintf(s.console.stderr, "%s: %s: %v\n", s.name, a.server, s.explain(a.err))
		default:
			for _, r := range rows(a.value) {
				fmt.Fprintln(table, a.server+"\t"+r)
			}
		}
	}
	if !s.json && good > 0 {
		table.Flush() //nolint:errcheck // nobody reads it
	}
	return status(ctx, good, len(answers))
}

// status returns the exit status if so many of all servers have done it.
func status(ctx context.Context, good, all int) int {
	switch {
	case ctx.Err() != nil:
		return exitInterrupted
	case good == all:
		return exitOK
	case good == 0:
		return exitFailed
	}
	return exitPartly
}

// line is a server's line of JSON.
type line struct {
	Server  string         `json:"server"`
	Result  any            `json:"result,omitempty"`
	Error   string         `json:"error,omitempty"`
	Problem *admin.Problem `json:"problem,omitempty"`
}

func printAnswer(s *servers, server string, result any, err error) {
	l := line{Server: server, Result: result}
	if err != nil {
		l.Result, l.Error = nil, s.explain(err).Error()
		errors.As(err, &l.Problem)
	}
	show.JSON(s.console.stdout, l)
}

// explain says what to do about an error of a call, where the error does not.
func (s *servers) explain(err error) error {
	p := new(admin.Problem)
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, identity.WrongRole):
		return fmt.Errorf("the server is not of the role %v: see that the address is right, or say by -server-role which role it has", s.role)
	case errors.Is(err, context.DeadlineExceeded):
		return errors.New("no answer in time: see whether it runs and the address is that of an admin API, or give a longer -timeout")
	case strings.Contains(err.Error(), "tls: "):
		return fmt.Errorf("%w: see that both certificates are of one trust domain, and what the server's log says", err)
	}
	return err
}
