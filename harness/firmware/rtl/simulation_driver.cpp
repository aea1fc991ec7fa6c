// Drives the simulated design: holds event 0, then gives a new event in each cycle, and drains.
//
// Arguments: words, trace, events, cycles of holding, cycles of draining. Defined by the compiler:
// INPUT_BITS of the input port.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>
#include "Design.h"
#include "verilated.h"

static const size_t WORDS = (INPUT_BITS + 31) / 32;

static void drive(Design &dut, const uint32_t *words) {
#if INPUT_BITS <= 64
    dut.model_inp = words[0] | (WORDS > 1 ? uint64_t(words[WORDS - 1]) << 32 : 0);
#else
    for (size_t i = 0; i < WORDS; ++i) dut.model_inp[i] = words[i];
#endif
}

int main(int argc, char **argv) {
    const size_t n = strtoull(argv[3], nullptr, 10);
    const size_t hold = strtoull(argv[4], nullptr, 10);
    const size_t drain = strtoull(argv[5], nullptr, 10);
    std::vector<uint32_t> words(n * WORDS);
    FILE *in = fopen(argv[1], "rb");
    if (!in || fread(words.data(), 4 * WORDS, n, in) != n) return 2;
    fclose(in);
    FILE *out = fopen(argv[2], "wb");
    if (!out) return 3;
    auto context = std::make_unique<VerilatedContext>();
    auto dut = std::make_unique<Design>(context.get());
    const size_t cycles = hold + (n - 1) + drain;
    for (size_t cycle = 0; cycle < cycles; ++cycle) {
        const size_t event = cycle < hold ? 0 : (cycle - hold + 1 < n ? cycle - hold + 1 : n - 1);
        drive(*dut, &words[event * WORDS]);
        dut->clk = 0;
        dut->eval();
        dut->clk = 1;
        dut->eval();
        const uint64_t value = dut->model_out;
        if (fwrite(&value, 8, 1, out) != 1) return 4;
    }
    dut->final();
    return fclose(out) ? 5 : 0;
}
