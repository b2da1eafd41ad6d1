package main

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// published are the schemas in docs, each of which is one of its draft's itself.
var published = sync.OnceValues(func() (map[string]*jsonschema.Schema, error) {
	all := map[string]*jsonschema.Schema{}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	for _, name := range []string{"decide-input", "decide-output", "simulate", "tune"} {
		s, err := c.Compile("../../docs/" + name + ".schema.json")
		if err != nil {
			return nil, err
		}
		all[name] = s
	}
	return all, nil
})

// fits is nil for a text that the schema describes.
func fits(schema, text string) error {
	all, err := published()
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return err
	}
	return all[schema].Validate(value)
}

// TestSchemasNameEveryField: the fields that are read and written are those that the schemas describe.
func TestSchemasNameEveryField(t *testing.T) {
	t.Parallel()
	all, err := published()
	if err != nil {
		t.Fatal(err)
	}
	for schema, of := range map[string]reflect.Type{
		"decide-input": reflect.TypeFor[line](), "decide-output": reflect.TypeFor[answer](),
		"simulate": reflect.TypeFor[simulationReport](), "tune": reflect.TypeFor[tuneReport](),
	} {
		if err := describes(all[schema], of); err != nil {
			t.Errorf("%s: %v", schema, err)
		}
	}
}

// describes is nil where a schema names the fields of a type, and of the types within.
func describes(s *jsonschema.Schema, of reflect.Type) error {
	if s.Ref != nil {
		s = s.Ref
	}
	switch of.Kind() {
	case reflect.Pointer:
		return describes(s, of.Elem())
	case reflect.Slice:
		return describes(s.Items2020, of.Elem())
	case reflect.Struct:
	default:
		return nil
	}
	var fields []string
	for i := range of.NumField() {
		field := of.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		fields = append(fields, name)
		if within := s.Properties[name]; within != nil {
			if err := describes(within, field.Type); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	slices.Sort(fields)
	if described := slices.Sorted(maps.Keys(s.Properties)); !slices.Equal(described, fields) {
		return fmt.Errorf("the schema describes %v, the program has %v", described, fields)
	}
	return nil
}
