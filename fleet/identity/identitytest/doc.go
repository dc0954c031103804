// Package identitytest is a trust domain for tests: an authority that makes certificates of any life,
// replaces itself, writes the files of a service, and serves a SPIFFE Workload API on a Unix socket.
//
//	a := identitytest.New(t)
//	admin := a.Source(t, identity.Operator.Path("zoe"))             // files, in a directory of the test
//	server := a.WorkloadSource(t, identity.GameState.Path("eu-7"))  // Workload API
//	a.Rotate()                                                      // a new certificate for both
//
// The certificates are good for tests only: the authority's key lies in the memory of the test.
package identitytest
