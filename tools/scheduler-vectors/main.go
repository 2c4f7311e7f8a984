// Says of pods and clusters (stdin: JSON lines of {nodes, pods, objects, pod}) what the plug-ins of kube-scheduler's default profile say of them: which nodes
// are out and why, and every plug-in's weighted score of the others. One JSON line for each.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sort"

	v1 "k8s.io/api/core/v1"
	policy "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/apis/config"
	"k8s.io/kubernetes/pkg/scheduler/apis/config/latest"
	"k8s.io/kubernetes/pkg/scheduler/backend/cache"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/defaultpreemption"
	"k8s.io/kubernetes/pkg/scheduler/framework/plugins/feature"
	frameworkruntime "k8s.io/kubernetes/pkg/scheduler/framework/runtime"
	"k8s.io/kubernetes/pkg/scheduler/metrics"
)

type input struct {
	Nodes      []*v1.Node      `json:"nodes"`
	Pods       []*v1.Pod       `json:"pods"`
	Namespaces []*v1.Namespace `json:"namespaces"`
	Services   []*v1.Service   `json:"services"`
	Pod        *v1.Pod         `json:"pod"`

	Budgets []*policy.PodDisruptionBudget `json:"budgets"`
}

// Nobody has been promised a node.
type nobody struct{}

func (nobody) AddNominatedPod(klog.Logger, fwk.PodInfo, *fwk.NominatingInfo) {}
func (nobody) DeleteNominatedPodIfExists(*v1.Pod)                            {}
func (nobody) UpdateNominatedPod(klog.Logger, *v1.Pod, fwk.PodInfo)          {}
func (nobody) NominatedPodsForNode(string) []fwk.PodInfo                     { return nil }

// Who would have to go from a node.
type victims struct {
	Pods       []string `json:"pods"`
	Violations int64    `json:"violations"`
}

type rejection struct {
	Plugin  string   `json:"plugin"`
	Final   bool     `json:"final"`
	Reasons []string `json:"reasons"`
}

type output struct {
	PreFilter *rejection                  `json:"preFilter,omitempty"`
	Only      []string                    `json:"only,omitempty"`
	Rejects   map[string]rejection        `json:"rejects"`
	Scores    map[string]map[string]int64 `json:"scores"`
	Victims   map[string]victims          `json:"victims"`
	Stay      map[string][]string         `json:"stay"`
	Chosen    string                      `json:"chosen,omitempty"`
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func rejected(s *fwk.Status) rejection {
	return rejection{Plugin: s.Plugin(), Final: s.Code() == fwk.UnschedulableAndUnresolvable, Reasons: s.Reasons()}
}

func profile() *config.KubeSchedulerProfile {
	c, err := latest.Default()
	must(err)
	p := c.Profiles[0]
	var enabled []config.Plugin
	for _, e := range p.Plugins.MultiPoint.Enabled {
		if e.Name != "DynamicResources" {
			enabled = append(enabled, e)
		}
	}
	p.Plugins.MultiPoint.Enabled = enabled
	return &p
}

func decide(in input) output {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var objects []runtime.Object
	for _, n := range in.Namespaces {
		objects = append(objects, n)
	}
	for _, s := range in.Services {
		objects = append(objects, s)
	}
	for _, b := range in.Budgets {
		objects = append(objects, b)
	}
	client := fake.NewSimpleClientset(objects...)
	factory := informers.NewSharedInformerFactory(client, 0)
	snapshot := cache.NewSnapshot(in.Pods, in.Nodes)
	f, err := frameworkruntime.NewFramework(ctx, plugins.NewInTreeRegistry(), profile(),
		frameworkruntime.WithClientSet(client), frameworkruntime.WithInformerFactory(factory),
		frameworkruntime.WithSnapshotSharedLister(snapshot), frameworkruntime.WithMutableSnapshotLister(snapshot),
		frameworkruntime.WithPodNominator(nobody{}))
	must(err)
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())

	out := output{Rejects: map[string]rejection{}, Scores: map[string]map[string]int64{}, Victims: map[string]victims{}, Stay: map[string][]string{}}
	state := framework.NewCycleState()
	pre, status, _ := f.RunPreFilterPlugins(ctx, state, in.Pod)
	if !status.IsSuccess() {
		r := rejected(status)
		out.PreFilter = &r
		return out
	}
	if !pre.AllNodes() {
		for name := range pre.NodeNames {
			out.Only = append(out.Only, name)
		}
		sort.Strings(out.Only)
	}
	infos, err := snapshot.NodeInfos().List()
	must(err)
	sort.Slice(infos, func(i, j int) bool { return infos[i].Node().Name < infos[j].Node().Name })
	var fits, hopeful []fwk.NodeInfo
	for _, info := range infos {
		s := f.RunFilterPlugins(ctx, state, in.Pod, info)
		if s.IsSuccess() {
			fits = append(fits, info)
		} else if s.IsRejected() {
			out.Rejects[info.Node().Name] = rejected(s)
			if s.Code() == fwk.Unschedulable {
				hopeful = append(hopeful, info)
			}
		} else {
			must(s.AsError())
		}
	}
	preempt(ctx, f, state, in, hopeful, &out)
	if len(fits) == 0 {
		return out
	}
	if s := f.RunPreScorePlugins(ctx, state, in.Pod, fits); !s.IsSuccess() {
		must(s.AsError())
	}
	all, s := f.RunScorePlugins(ctx, state, in.Pod, fits)
	if !s.IsSuccess() {
		must(s.AsError())
	}
	for _, n := range all {
		out.Scores[n.Name] = map[string]int64{}
		for _, p := range n.Scores {
			out.Scores[n.Name][p.Name] = p.Score
		}
	}
	return out
}

// What default preemption says of the nodes that others could make room on.
func preempt(ctx context.Context, f framework.Framework, state fwk.CycleState, in input, hopeful []fwk.NodeInfo, out *output) {
	if len(hopeful) == 0 {
		return
	}
	args := &config.DefaultPreemptionArgs{MinCandidateNodesPercentage: 10, MinCandidateNodesAbsolute: 100}
	p, err := defaultpreemption.New(ctx, args, f, feature.Features{})
	must(err)
	found, statuses, err := p.Evaluator.DryRunPreemption(ctx, state, in.Pod, hopeful, in.Budgets, 0, int32(len(hopeful)))
	must(err)
	for _, c := range found {
		v := victims{Violations: c.Victims().NumPDBViolations}
		for _, pod := range c.Victims().Pods {
			v.Pods = append(v.Pods, pod.Name)
		}
		out.Victims[c.Name()] = v
	}
	for _, n := range hopeful {
		name := n.Node().Name
		if _, is := out.Victims[name]; !is {
			out.Stay[name] = statuses.Get(name).Reasons()
		}
	}
	if best := p.Evaluator.SelectCandidate(ctx, found); best != nil {
		out.Chosen = best.Name()
	}
}

func main() {
	flags := flag.NewFlagSet("klog", flag.ExitOnError)
	klog.InitFlags(flags)
	must(flags.Set("logtostderr", "true"))
	metrics.Register()
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 1<<20), 1<<28)
	for lines.Scan() {
		var in input
		must(json.Unmarshal(lines.Bytes(), &in))
		text, err := json.Marshal(decide(in))
		must(err)
		fmt.Println(string(text))
	}
	must(lines.Err())
}
