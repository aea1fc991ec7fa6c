# Places and routes an hls4ml project out of context: the core alone, without the chip's inputs and
# outputs.
source project.tcl
add_files [glob ${project_name}_prj/solution1/syn/verilog/*]
set sources [glob -nocomplain ${project_name}_prj/solution1/syn/verilog/*.tcl]
foreach script $sources { source $script }
synth_design -top ${project_name} -part $part -mode out_of_context
create_clock -name ap_clk -period $clock_period [get_ports ap_clk]
opt_design
place_design
phys_opt_design
route_design
report_utilization -file utilization_routed.rpt
report_timing_summary -file timing_routed.rpt
