// Package natstest runs NATS servers with JetStream on the loopback interface, for tests and for the
// example.
//
//	Embedded  one server in this process
//	Process   one server in a process of its own, which can be killed
//	Cluster   three of these, each with its own store
//	Line      TCP proxies from one client to each server, which can be cut: a partition
//
// A process is this program's own executable, started again. Its main, or the TestMain of its tests,
// must begin with
//
//	if natstest.IsChild() {
//		os.Exit(natstest.Child())
//	}
//
// A child ends when its standard input does, so none outlives its parent.
//
// Every server runs from a configuration file as nats-server reads it, written into the server's
// folder beside its store and its log. So the permissions of a test are those that an operator
// copies. Writes are synchronous (sync_interval: always).
package natstest
