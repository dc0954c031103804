// Package deploy checks the files beside it, which deploy Sallyport: README.md says what they are, how
// they are applied, and what nobody has tried. It has tests and no code.
//
//	kubernetes/   rendered by Kustomize, checked against schemas, and against the roles of fleet/identity
//	aws/          parsed, its references resolved, and checked against the provider's arguments, by
//	              Terraform too where it is installed
//	Dockerfile, systemd/, sysctl/
//
// Each check has cases that it must refuse.
package deploy
