package signals

import (
	"context"
	"log/slog"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/fleet/revocation"
)

const (
	// DefaultCognitoInterval is the time between two looks at a user pool.
	DefaultCognitoInterval = 30 * time.Second

	// maxPages is how many pages of disabled accounts are read: 60,000 accounts.
	maxPages = 1000
)

// CognitoUser is an account that is disabled.
type CognitoUser struct {
	Subject  string    // its attribute sub
	Modified time.Time // UserLastModifiedDate
}

// CognitoConfig configures WatchCognito. Issuer, Disabled and Publisher are required.
type CognitoConfig struct {
	// Issuer is the pool's in sessions: https://cognito-idp.<region>.amazonaws.com/<pool>.
	Issuer string

	// Disabled returns a page of the pool's disabled accounts, and the token of the next, empty after
	// the last. page is empty for the first. With Amazon's SDK:
	//
	//	out, err := client.ListUsers(ctx, &cognitoidentityprovider.ListUsersInput{
	//		UserPoolId: &pool, Filter: aws.String(`status = "Disabled"`), PaginationToken: page or nil,
	//	})
	Disabled func(ctx context.Context, page string) (users []CognitoUser, next string, err error)

	Publisher Publisher
	Interval  time.Duration // zero means DefaultCognitoInterval; negative is an error

	Log   *slog.Logger // nil for none
	Audit audit.Sink   // nil for none
}

// WatchCognito revokes the players of an Amazon Cognito user pool whose accounts are disabled,
// until ctx is done; then it returns nil, or an error that matches ErrConfig. It polls, because a
// pool notifies nobody: a look at all disabled accounts costs one request for 60 of them, however
// many players there are.
//
// It does not see a sign-out, a deleted account, a changed password, or an account that is enabled
// again within Interval. CloudTrail reports those: see docs/deploy.md.
func WatchCognito(ctx context.Context, c CognitoConfig) error {
	if c.Interval == 0 {
		c.Interval = DefaultCognitoInterval
	}
	switch {
	case c.Issuer == "" || len(c.Issuer) > maxText:
		return badConfig("Issuer must have 1 to %d bytes", maxText)
	case c.Disabled == nil:
		return badConfig("Disabled is missing")
	case c.Publisher == nil:
		return badConfig("Publisher is missing")
	case c.Interval < 0:
		return badConfig("Interval must not be negative")
	}
	w := watch{CognitoConfig: c, report: reporter{log: c.Log, audit: c.Audit}}
	for wait := time.Duration(0); ; {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
		wait = c.Interval
		if err := w.look(ctx, time.Now()); err != nil && ctx.Err() == nil {
			w.report.failed("the user pool's disabled accounts cannot be listed; players whose accounts are disabled play on", err)
		}
	}
}

type watch struct {
	CognitoConfig
	report reporter
	seen   map[CognitoUser]bool // disabled at the last look
}

// look lists the disabled accounts, and revokes what has not been seen before. now is when it begins.
func (w *watch) look(ctx context.Context, now time.Time) error {
	seen := map[CognitoUser]bool{}
	page := ""
	for range maxPages {
		users, next, err := w.Disabled(ctx, page)
		if err != nil {
			return err
		}
		for _, u := range users {
			u.Modified = u.Modified.Round(0).UTC() // == is of the instant then
			if _, ok := text(u.Subject); ok && (w.seen[u] || w.revoke(u, now)) {
				seen[u] = true
			}
		}
		if page = next; page == "" {
			break
		}
	}
	w.seen = seen
	return nil
}

// revoke publishes that an account is disabled, and reports whether that is on disk.
func (w *watch) revoke(u CognitoUser, now time.Time) bool {
	// A disabled account gets no tokens. The newest that it has is from before it was modified, by
	// Amazon's clock, and from before now.
	by := now
	if u.Modified.After(now) {
		by = u.Modified
	}
	if now.Sub(u.Modified) > oldest {
		return true // no token of it lives
	}
	r := revocation.Record{Kind: revocation.KindSubject, Issuer: w.Issuer, Value: u.Subject, IssuedBy: by}
	if _, err := w.Publisher.Append(r); err != nil {
		w.report.alarm("a revocation could not be stored; it is tried again", w.Issuer)
		return false
	}
	w.report.withdrawn("account-disabled", r, w.Issuer)
	return true
}
