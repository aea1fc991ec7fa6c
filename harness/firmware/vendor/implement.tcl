# Synthesises, places and routes an hls4ml project out of context: the core alone, without the
# chip's inputs and outputs. The constraints are read before the synthesis, so that it is driven by
# timing. A design without a register has no clock: its logic may take one period.
source project.tcl
set sources ${project_name}_prj/solution1/syn/verilog
read_verilog [glob $sources/*.v]
foreach script [glob -nocomplain $sources/*.tcl] { source $script }
set constraints [open constraints.tcl w]
puts $constraints "if {\[llength \[get_ports -quiet ap_clk\]\]} {"
puts $constraints "    create_clock -name ap_clk -period $clock_period \[get_ports ap_clk\]"
puts $constraints "} else {"
puts $constraints "    set_max_delay $clock_period -from \[all_inputs\] -to \[all_outputs\]"
puts $constraints "}"
close $constraints
# Unmanaged constraints may hold any Tcl.
read_xdc -unmanaged constraints.tcl
synth_design -top ${project_name} -part $part -mode out_of_context
report_utilization -file utilization_synth.rpt
opt_design
place_design
phys_opt_design
route_design
report_utilization -file utilization_routed.rpt
report_timing_summary -file timing_routed.rpt
