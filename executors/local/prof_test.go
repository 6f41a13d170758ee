package local
import ("testing";"time";"sort";"syscall")
func TestProf(t *testing.T){
 e:=newPlace(t, benchOptions).start(); e.Check(t.Context())
 var tot,wall,bare []float64
 for i:=0;i<1500;i++{
  t0:=time.Now()
  pid,_:=syscall.ForkExec("/bin/true",[]string{"true"},&syscall.ProcAttr{Files:[]uintptr{0,1,2}})
  syscall.Wait4(pid,nil,0,nil)
  bare=append(bare,float64(time.Since(t0).Microseconds()))
  t0=time.Now()
  r:=mustRun(t,e,task(kindRun,"/bin/true"))
  tot=append(tot,float64(time.Since(t0).Microseconds()))
  wall=append(wall,r.Usage.Wall*1e6)
  r.Release(false)
 }
 for n,x:=range map[string][]float64{"bare":bare,"total":tot,"wall":wall}{ sort.Float64s(x); t.Logf("%s p10 %.0f p50 %.0f p90 %.0f", n, x[150],x[750],x[1350]) }
}
