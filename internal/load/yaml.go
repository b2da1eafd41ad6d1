package load

import (
	"bytes"
	"errors"
	"io"
	"regexp"

	nodes "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"
)

// parseYAML reads one YAML document by the rules of the API server, which makes
// JSON of it. Aliases are refused before it does: a thousand of them, each to a
// list of a thousand, are a short answer and fill the memory.
func parseYAML(text []byte) (any, error) {
	d := nodes.NewDecoder(bytes.NewReader(text))
	var root nodes.Node
	switch err := d.Decode(&root); {
	case errors.Is(err, io.EOF):
		return nil, invalid("the answer is empty; expected YAML")
	case err != nil:
		return nil, notYAML(err)
	}
	if err := checkNode(&root, 0); err != nil {
		return nil, err
	}
	if err := d.Decode(new(nodes.Node)); !errors.Is(err, io.EOF) {
		return nil, invalid("the answer goes on after its YAML ends; expected one YAML document")
	}
	asJSON, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		return nil, notYAML(err)
	}
	return parseJSON(asJSON)
}

// checkNode refuses what grows while it is read.
func checkNode(n *nodes.Node, depth int) error {
	switch {
	case n.Kind == nodes.AliasNode:
		return invalid("the answer has an alias in line %d; expected YAML without aliases", n.Line)
	case depth > nestingLimit:
		return errNested
	}
	for _, child := range n.Content {
		if err := checkNode(child, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// yamlLine is where a YAML parser says it failed.
var yamlLine = regexp.MustCompile(`line (\d+)`)

// notYAML says in its own words what the parser said, which may repeat parts of
// the answer: it is somebody else's data.
func notYAML(err error) error {
	if at := yamlLine.FindStringSubmatch(err.Error()); at != nil {
		return invalid("the answer is not YAML: line %s cannot be read", at[1])
	}
	return invalid("the answer is not YAML that could be JSON as well")
}
