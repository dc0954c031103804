// Standin stands in for Terraform's AWS provider, which cannot be had from the registries that the checks
// use. It says which arguments resources have, as testdata/aws.json has them, so that `terraform validate`
// looks at types, functions, references and cycles. It makes nothing: of a provider's calls it answers
// those that validate makes, and no others.
//
//	SALLYPORT_STANDIN=testdata/aws.json    the file, set by the test that has Terraform start this
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// recorded is a resource of the file, or a block within one. An attribute's type may end with '!',
// required, or '=', only to be read.
type recorded struct {
	Attributes     map[string]string
	Blocks         map[string]recorded
	Required, Many bool
}

// types are those that the file names; what it cannot name takes everything.
var types = map[string]tftypes.Type{
	"string": tftypes.String, "number": tftypes.Number, "bool": tftypes.Bool,
	"list": tftypes.List{ElementType: tftypes.String}, "map": tftypes.Map{ElementType: tftypes.String},
}

// block is a resource as Terraform wants to know it.
func (r recorded) block() *tfprotov6.SchemaBlock {
	b := &tfprotov6.SchemaBlock{}
	for name, kind := range r.Attributes {
		a := &tfprotov6.SchemaAttribute{Name: name, Type: types[strings.TrimRight(kind, "!=")]}
		if a.Type == nil {
			a.Type = tftypes.DynamicPseudoType
		}
		a.Required = strings.HasSuffix(kind, "!")
		a.Computed = !a.Required
		a.Optional = a.Computed && !strings.HasSuffix(kind, "=")
		b.Attributes = append(b.Attributes, a)
	}
	for name, sub := range r.Blocks {
		n := &tfprotov6.SchemaNestedBlock{TypeName: name, Block: sub.block(), Nesting: tfprotov6.SchemaNestedBlockNestingModeList}
		if !sub.Many {
			n.MaxItems = 1
		}
		if sub.Required {
			n.MinItems = 1
		}
		b.BlockTypes = append(b.BlockTypes, n)
	}
	return b
}

// schemas are those of resources or of data sources.
func schemas(list map[string]recorded) map[string]*tfprotov6.Schema {
	out := map[string]*tfprotov6.Schema{}
	for name, r := range list {
		out[name] = &tfprotov6.Schema{Block: r.block()}
	}
	return out
}

// provider answers the calls that validate makes; any other call ends the process.
type provider struct {
	tfprotov6.ProviderServer
	resource, data map[string]*tfprotov6.Schema
}

// GetProviderSchema is that of a tfprotov6.ProviderServer.
func (p provider) GetProviderSchema(context.Context, *tfprotov6.GetProviderSchemaRequest) (*tfprotov6.GetProviderSchemaResponse, error) {
	own := recorded{
		Attributes: map[string]string{"region": "string"},
		Blocks:     map[string]recorded{"default_tags": {Attributes: map[string]string{"tags": "map"}}},
	}
	// A provider's own arguments are never computed.
	b := own.block()
	for _, sub := range []*tfprotov6.SchemaBlock{b, b.BlockTypes[0].Block} {
		sub.Attributes[0].Computed = false
	}
	return &tfprotov6.GetProviderSchemaResponse{
		Provider: &tfprotov6.Schema{Block: b}, ResourceSchemas: p.resource, DataSourceSchemas: p.data,
	}, nil
}

// GetResourceIdentitySchemas is that of a tfprotov6.ProviderServer.
func (provider) GetResourceIdentitySchemas(context.Context, *tfprotov6.GetResourceIdentitySchemasRequest) (*tfprotov6.GetResourceIdentitySchemasResponse, error) {
	return &tfprotov6.GetResourceIdentitySchemasResponse{}, nil
}

// ValidateProviderConfig is that of a tfprotov6.ProviderServer.
func (provider) ValidateProviderConfig(_ context.Context, r *tfprotov6.ValidateProviderConfigRequest) (*tfprotov6.ValidateProviderConfigResponse, error) {
	return &tfprotov6.ValidateProviderConfigResponse{PreparedConfig: r.Config}, nil
}

// ValidateResourceConfig is that of a tfprotov6.ProviderServer.
func (provider) ValidateResourceConfig(context.Context, *tfprotov6.ValidateResourceConfigRequest) (*tfprotov6.ValidateResourceConfigResponse, error) {
	return &tfprotov6.ValidateResourceConfigResponse{}, nil
}

// ValidateDataResourceConfig is that of a tfprotov6.ProviderServer.
func (provider) ValidateDataResourceConfig(context.Context, *tfprotov6.ValidateDataResourceConfigRequest) (*tfprotov6.ValidateDataResourceConfigResponse, error) {
	return &tfprotov6.ValidateDataResourceConfigResponse{}, nil
}

// StopProvider is that of a tfprotov6.ProviderServer.
func (provider) StopProvider(context.Context, *tfprotov6.StopProviderRequest) (*tfprotov6.StopProviderResponse, error) {
	return &tfprotov6.StopProviderResponse{}, nil
}

func main() {
	if err := serve(os.Getenv("SALLYPORT_STANDIN")); err != nil {
		fmt.Fprintln(os.Stderr, "standin:", err)
		os.Exit(1)
	}
}

// serve answers Terraform until it has enough.
func serve(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var all struct{ Resource, Data map[string]recorded }
	if err := json.Unmarshal(text, &all); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	p := provider{resource: schemas(all.Resource), data: schemas(all.Data)}
	return tf6server.Serve("registry.terraform.io/hashicorp/aws", func() tfprotov6.ProviderServer { return p })
}
