// Adders stay adders: merged into compressors of LUTs they take more LUTs and time than carries do.
(* techmap_celltype = "$add $sub" *)
module _adder_to_alu (A, B, Y);
  parameter A_SIGNED = 0;
  parameter B_SIGNED = 0;
  parameter A_WIDTH = 1;
  parameter B_WIDTH = 1;
  parameter Y_WIDTH = 1;
  parameter _TECHMAP_CELLTYPE_ = "";
  localparam IS_SUB = _TECHMAP_CELLTYPE_ == "$sub";
  input [A_WIDTH-1:0] A;
  input [B_WIDTH-1:0] B;
  output [Y_WIDTH-1:0] Y;
  wire [Y_WIDTH-1:0] X, CO;
  \$alu #(
    .A_SIGNED(A_SIGNED), .B_SIGNED(B_SIGNED),
    .A_WIDTH(A_WIDTH), .B_WIDTH(B_WIDTH), .Y_WIDTH(Y_WIDTH)
  ) _TECHMAP_REPLACE_ (.A(A), .B(B), .CI(IS_SUB), .BI(IS_SUB), .X(X), .Y(Y), .CO(CO));
endmodule
