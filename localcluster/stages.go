package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"text/template"
)

// Annotations a pod template may carry.
const (
	annotationStartup = "localcluster.cusme.dev/startup" // a duration: becomes Ready after exactly this
	annotationFault   = "localcluster.cusme.dev/fault"   // one of faults, or none
	annotationPodIP   = "localcluster.cusme.dev/pod-ip"  // an address, 127.0.1.5 for example, where a test listens
)

//go:embed stages/node.yaml
var nodeStages string

//go:embed stages/pod.yaml
var podStages string

// settings are what the stages are made from. They are kept in the cluster's folder, because the fault command changes
// them while the cluster runs.
type settings struct {
	Startup startup `json:"startup"`
	// Fault befalls every new pod that does not say otherwise by annotation; empty is none.
	Fault string `json:"fault,omitempty"`
}

func readSettings(d clusterDir) (settings, error) {
	var s settings
	data, err := os.ReadFile(d.settings())
	if err != nil {
		return s, fmt.Errorf("no cluster in %s: start one with localcluster run: %w", d, err)
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return s, fmt.Errorf("read %s, which localcluster run wrote: %w", d.settings(), err)
	}
	return s, nil
}

// write keeps the settings and makes the stages of them; kwok reads those when it starts.
func (s settings) write(d clusterDir) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the settings: %w", err)
	}
	if err := writeWhole(d.settings(), append(data, '\n')); err != nil {
		return err
	}
	stages, err := s.stages()
	if err != nil {
		return err
	}
	return writeWhole(d.stages(), stages)
}

// stages fills the settings in. The delimiters are [[ ]] because {{ }} is kwok's own.
func (s settings) stages() ([]byte, error) {
	t, err := template.New("pod.yaml").Delims("[[", "]]").Parse(podStages)
	if err != nil {
		return nil, fmt.Errorf("parse the embedded pod stages: %w", err)
	}
	fault := s.Fault
	if fault == "" {
		fault = faultNone
	}
	var out bytes.Buffer
	out.WriteString(nodeStages)
	out.WriteString("\n---\n")
	err = t.Execute(&out, map[string]any{
		"MedianMilliseconds": s.Startup.Median.Milliseconds(),
		"Sigma":              s.Startup.sigma(),
		"Fault":              fault,
		"VirtualNodePrefix":  virtualNodePrefix,
		"AnnotationStartup":  annotationStartup,
		"AnnotationFault":    annotationFault,
		"AnnotationPodIP":    annotationPodIP,
	})
	if err != nil {
		return nil, fmt.Errorf("fill in the embedded pod stages: %w", err)
	}
	return out.Bytes(), nil
}
