package elastic

import (
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
)

// An Owner is a kind of foreign objects that own the order in which pods are
// removed. Whoever writes deletion costs beside them fights them.
type Owner struct {
	Group, Version, Kind string
	// Says names it before "decides which pods go".
	Says string
	// selects reads the object's spec; nil stands for all targets.
	selects func(spec map[string]any, target Target) bool
}

// A Target is the workload whose pods may belong to an Owner.
type Target struct {
	APIVersion, Kind, Name string
	// PodLabels are the labels of its pods; nil if they are not known, and then
	// every selector of labels selects them.
	PodLabels map[string]string
}

// Owners are all kinds that own the order of removal. The ones of the vendors
// are documented as in conflict with pod-deletion-cost (volcengine.com/docs/6460/177068,
// help.aliyun.com/document_detail/398680.htm); a WorkloadSpread writes it
// itself. All are of one namespace. A CCE Balancer is not among them: its scores
// only order pods of equal cost (support.huaweicloud.com/usermanual-cce/cce_10_0746.html).
// Karpenter writes costs, and has no object to know it by: the costs tell.
func Owners() []Owner {
	return []Owner{
		{"scheduling.vke.volcengine.com", "v1beta1", "ResourcePolicy", "a VKE ResourcePolicy", bySelector},
		{"scheduling.alibabacloud.com", "v1alpha1", "ResourcePolicy", "an ACK ResourcePolicy", bySelector},
		{"apps.kruise.io", "v1alpha1", "WorkloadSpread", "an OpenKruise WorkloadSpread", byReference},
	}
}

// Selects reports whether an object of this kind, in the target's namespace, owns the order in which the target's pods go. object is the
// unstructured content. What cannot be understood selects everything: better to
// wait for nothing than to remove the wrong pod.
func (o Owner) Selects(object map[string]any, target Target) bool {
	spec, ok := object["spec"].(map[string]any)
	if !ok || o.selects == nil {
		return true
	}
	return o.selects(spec, target)
}

// bySelector reads spec.selector, a plain map of labels. Without any it selects
// all pods of its namespace.
func bySelector(spec map[string]any, target Target) bool {
	selector, ok, err := unstructured.NestedStringMap(spec, "selector")
	if err != nil || !ok || target.PodLabels == nil {
		return true
	}
	return labels.SelectorFromSet(selector).Matches(labels.Set(target.PodLabels))
}

// byReference reads spec.targetRef, which names one workload (openkruise/kruise,
// apis/apps/v1alpha1/workloadspread_types.go).
func byReference(spec map[string]any, target Target) bool {
	reference, ok := spec["targetRef"].(map[string]any)
	if !ok {
		return true
	}
	return names(reference, target)
}

// names reports whether a reference with apiVersion, kind and name is to the
// target, or to a ReplicaSet that may be one of the target Deployment. What the
// reference leaves out, or does not say as text, is taken for the target's. The
// API's version does not matter, its group does.
func names(reference map[string]any, target Target) bool {
	apiVersion, kind, name := reference["apiVersion"], reference["kind"], reference["name"]
	if text, ok := apiVersion.(string); ok && text != "" && group(text) != group(target.APIVersion) {
		return false
	}
	if kind == "ReplicaSet" && target.Kind == "Deployment" {
		text, ok := name.(string)
		return !ok || text == "" || strings.HasPrefix(text, target.Name+"-")
	}
	return same(kind, target.Kind) && same(name, target.Name)
}

func same(said any, want string) bool {
	text, ok := said.(string)
	return !ok || text == "" || text == want
}

func group(apiVersion string) string {
	name, _, ok := strings.Cut(apiVersion, "/")
	if !ok {
		return ""
	}
	return name
}
