// Package enginetest is the test suite that every engine of package handshake passes: against itself, against
// the other engine, and against the library it is built on. Handshakes run in testing/synctest over a Link.
package enginetest
