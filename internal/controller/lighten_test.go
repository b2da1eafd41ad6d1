package controller

import (
	"fmt"
	"strings"
	"testing"
	"unsafe"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"cusme.dev/cusme/api/v1alpha1"
)

func TestLighten(t *testing.T) {
	trimmed := 0
	transform := lighten(func(object any) (any, error) { trimmed++; return object, nil })
	scaler := func() *v1alpha1.LoadScaler {
		return &v1alpha1.LoadScaler{
			ObjectMeta: metav1.ObjectMeta{
				Annotations:   map[string]string{corev1.LastAppliedConfigAnnotation: "{}", "mine": "stays"},
				ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubectl"}},
			},
			Status: v1alpha1.LoadScalerStatus{Conditions: []metav1.Condition{{Type: "Ready", Message: strings.Clone("the spec is understood")}}},
		}
	}
	var messages []string
	for range 2 {
		out, err := transform(scaler())
		if err != nil {
			t.Fatal(err)
		}
		ls := out.(*v1alpha1.LoadScaler)
		if fmt.Sprint(ls.Annotations) != "map[mine:stays]" || ls.ManagedFields != nil || ls.Status.Conditions[0].Type != "Ready" {
			t.Errorf("got %+v", ls)
		}
		messages = append(messages, ls.Status.Conditions[0].Message)
	}
	if messages[0] != "the spec is understood" || unsafe.StringData(messages[0]) != unsafe.StringData(messages[1]) {
		t.Errorf("got %q, want one string that both share", messages)
	}
	if _, err := transform(&corev1.Pod{}); err != nil || trimmed != 1 {
		t.Errorf("a pod was trimmed %d times: %v", trimmed, err)
	}
}

func TestWordsHaveABound(t *testing.T) {
	w := &words{kept: map[string]string{}}
	for i := range 2 * mostWords {
		if s := fmt.Sprint(i); w.once(s) != s {
			t.Fatalf("%s became another word", s)
		}
	}
	if len(w.kept) != mostWords {
		t.Errorf("%d words are kept, want %d", len(w.kept), mostWords)
	}
}
