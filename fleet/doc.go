// Package fleet holds what match servers on many machines need to act as one. It is a module of its
// own, so that the library has none of its dependencies.
package fleet
