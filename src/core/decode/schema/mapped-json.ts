import type { Decoded, Decoder } from '../decoder.ts';
import { JsonTraits } from '../json/traits.ts';
import { wholeJson } from '../json/value.ts';
import { MAPPED_JSON } from './mapped-rejects.ts';
import { SeriesMapper } from './mapped-series.ts';
import { type MappingOptions, METRIC_BATCH, valueByPath } from './mapping.ts';

/**
 * JSON without a schema, in the shape that the mapping describes. A record has that shape, or is one of its series, or
 * a list of such series: the form in which unusable series are set aside.
 */
export function mappedJsonDecoder(mapping: MappingOptions = METRIC_BATCH): Decoder {
  const mapper = new SeriesMapper(mapping);
  const traits = new JsonTraits();
  const listPath = mapping.series === '' ? undefined : mapping.series.split('.');
  return {
    name: 'mapped_json',
    contentTypes: [MAPPED_JSON],
    defaultContentEncoding: 'identity',
    decode(body, context): Decoded {
      const { budget } = context;
      const read = (isVerbatim: boolean) => {
        const value = wholeJson(body, 0, traits, { budget, isVerbatim });
        return { value, hasOddNumbers: traits.hasOddNumbers };
      };
      return mapper.mapJson(read, (value) => {
        if (listPath !== undefined && valueByPath(value, listPath) !== undefined)
          return mapper.map(value, body.length, context);
        return mapper.mapElements(Array.isArray(value) ? value : [value], body.length, context);
      });
    },
  };
}
