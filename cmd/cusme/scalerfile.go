package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"cusme.dev/cusme/api/v1alpha1"
)

// A scalerFile holds LoadScalers, among other objects perhaps.
type scalerFile struct {
	// path is where it is; - is stdin.
	path  string
	stdin io.Reader
	// namespace is that of LoadScalers that name none.
	namespace string
}

// scalers reads the LoadScalers of the file, at least one. A field that does
// not exist is an error: cusme would otherwise show what it makes of something else.
func (f scalerFile) scalers() (found []*v1alpha1.LoadScaler, err error) {
	text, err := f.text()
	if err != nil {
		return nil, err
	}
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for number := 1; ; number++ {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			found, err = f.add(found, document)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: document %d: %w", f.path, number, err)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s: expected a LoadScaler of %s, found none", f.path, v1alpha1.GroupVersion)
	}
	return found, nil
}

// only reads the LoadScaler of a file that holds no other.
func (f scalerFile) only() (*v1alpha1.LoadScaler, error) {
	found, err := f.scalers()
	if err != nil {
		return nil, err
	}
	if len(found) > 1 {
		return nil, fmt.Errorf("%s: expected one LoadScaler, found %d", f.path, len(found))
	}
	return found[0], nil
}

func (f scalerFile) text() ([]byte, error) {
	if f.path == "-" {
		return io.ReadAll(f.stdin)
	}
	return os.ReadFile(f.path)
}

// add understands a document, if it is a LoadScaler.
func (f scalerFile) add(found []*v1alpha1.LoadScaler, document []byte) ([]*v1alpha1.LoadScaler, error) {
	var kind metav1.TypeMeta
	if err := yaml.Unmarshal(document, &kind); err != nil {
		return nil, err
	}
	if kind.Kind != "LoadScaler" {
		return found, nil
	}
	if kind.APIVersion != v1alpha1.GroupVersion.String() {
		return nil, fmt.Errorf("apiVersion: expected %s, got %q", v1alpha1.GroupVersion, kind.APIVersion)
	}
	s := &v1alpha1.LoadScaler{}
	strict := json.NewSerializerWithOptions(json.DefaultMetaFactory, runtime.NewScheme(), runtime.NewScheme(), json.SerializerOptions{Yaml: true, Strict: true})
	if _, _, err := strict.Decode(document, nil, s); err != nil {
		return nil, err
	}
	if s.Name == "" {
		return nil, errors.New("metadata.name: expected a name, got none")
	}
	if s.Namespace == "" {
		s.Namespace = f.namespace
	}
	return append(found, s), nil
}
