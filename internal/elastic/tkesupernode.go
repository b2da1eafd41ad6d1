package elastic

// tkeSuperNode is Tencent Cloud's super node in a TKE cluster, once called
// virtual node. The vendor's documents (457/40027, 457/45561) have pods select
// the label and tolerate the taint, whatever its value.
var tkeSuperNode = Provider{
	Name:   "tke-supernode",
	Labels: []Label{{Key: "node.kubernetes.io/instance-type", Value: "eklet"}},
	Taints: []string{"eks.tke.cloud.tencent.com/eklet"},
}
