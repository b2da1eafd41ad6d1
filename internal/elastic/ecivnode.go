package elastic

// eciVNode is Alibaba Cloud's ECI in a cluster built outside of ACK, reached
// through a VNode. The label and the taint are the defaults in the vendor's
// page on scheduling pods to a VNode (help.aliyun.com/document_detail/363067.html).
var eciVNode = Provider{
	Name:   "eci-vnode",
	Labels: []Label{{Key: "k8s.aliyun.com/vnode", Value: "true"}},
	Taints: []string{"k8s.aliyun.com/vnode"},

	Refusals: eciRefusals,
	Notices:  eciNotices,
}
