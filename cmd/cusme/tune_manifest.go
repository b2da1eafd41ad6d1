package main

import (
	"fmt"
	"strconv"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"cusme.dev/cusme/api/v1alpha1"
	"cusme.dev/cusme/internal/load"
)

// manifest is the LoadScaler of the file with the recommended setting, for a
// person to apply. Of its metadata it keeps what a person writes.
func (t task) manifest(f found) (string, error) {
	best, own := f.tried[f.best().setting], t.scaler.ObjectMeta
	spec, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&best.spec)
	if err != nil {
		return "", fmt.Errorf("the LoadScaler cannot be written: %w", err)
	}
	decimalBands(spec)
	text, err := yaml.Marshal(map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(), "kind": "LoadScaler",
		"metadata": metav1.ObjectMeta{Name: own.Name, Namespace: own.Namespace, Labels: own.Labels, Annotations: own.Annotations},
		"spec":     spec,
	})
	if err != nil {
		return "", fmt.Errorf("the LoadScaler cannot be written: %w", err)
	}
	says := "meets"
	if !f.choice.Meets {
		says = "does not meet, and is the nearest to,"
	}
	head := fmt.Sprintf("# cusme tune on %s: %s %s %s. How sure: %s.\n", plain(t.trace.Name), best, says, t.wish, t.sure(f).Level)
	if t.sketch {
		head += "# A sketch: put in your target, and where its load is read.\n"
	}
	return head + string(text), nil
}

// decimalBands writes the loads' bands as people do: 0.9 in place of 900m.
func decimalBands(spec map[string]any) {
	loads, _ := spec["loads"].([]any)
	for _, l := range loads {
		fields, _ := l.(map[string]any)
		for _, end := range []string{"low", "high", "target"} {
			text, _ := fields[end].(string)
			if q, err := resource.ParseQuantity(text); err == nil {
				fields[end] = strconv.FormatFloat(load.Nearest(q), 'f', -1, 64)
			}
		}
	}
}
