// Scores a share of a file of float32 events by hls4ml's C simulation, one float64 for each.
//
// Arguments: events, scores, first event, number of events. Defined by the compiler: N_INPUTS, and
// SCORE, the function of hls4ml's bridge.
#include <cstdio>
#include <cstdlib>
#include <vector>

extern "C" void SCORE(double *inputs, double *outputs);

int main(int argc, char **argv) {
    const size_t width = N_INPUTS;
    const size_t first = strtoull(argv[3], nullptr, 10), count = strtoull(argv[4], nullptr, 10);
    FILE *in = fopen(argv[1], "rb"), *out = fopen(argv[2], "wb");
    if (!in || !out || fseek(in, long(first * width * sizeof(float)), SEEK_SET)) return 2;
    std::vector<float> event(width);
    std::vector<double> inputs(width);
    for (size_t index = 0; index < count; ++index) {
        if (fread(event.data(), sizeof(float), width, in) != width) return 3;
        for (size_t column = 0; column < width; ++column) inputs[column] = event[column];
        double score = 0.0;
        SCORE(inputs.data(), &score);
        if (fwrite(&score, sizeof score, 1, out) != 1) return 4;
    }
    return fclose(out) ? 5 : 0;
}
